"""The life of a deploy. Pure.

Rules:
- Everything that decides which status may follow which is in this table.
- A step is recorded before it is done. `SWITCHING` is the checkpoint: before it, a crash undoes (the candidate is removed and
  the deploy begins again); from it on, a crash is finished forwards, because the new release has been chosen.
"""

from collections.abc import Mapping
from enum import StrEnum


class Status(StrEnum):
    QUEUED = "queued"
    PREPARING = "preparing"
    CREATING = "creating"
    STARTING = "starting"
    CHECKING = "checking"
    SWITCHING = "switching"
    DRAINING = "draining"
    ACTIVE = "active"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"


_UNDONE = frozenset({Status.FAILED, Status.CANCELLED, Status.QUEUED})

TRANSITIONS: Mapping[Status, frozenset[Status]] = {
    Status.QUEUED: frozenset({Status.PREPARING, Status.FAILED, Status.CANCELLED, Status.SUPERSEDED}),
    Status.PREPARING: _UNDONE | {Status.CREATING},
    Status.CREATING: _UNDONE | {Status.STARTING},
    Status.STARTING: _UNDONE | {Status.CHECKING},
    Status.CHECKING: _UNDONE | {Status.SWITCHING},
    Status.SWITCHING: frozenset({Status.DRAINING}),
    Status.DRAINING: frozenset({Status.ACTIVE}),
    Status.ACTIVE: frozenset(),
    Status.FAILED: frozenset(),
    Status.CANCELLED: frozenset(),
    Status.SUPERSEDED: frozenset(),
}

ENDED = frozenset(status for status, following in TRANSITIONS.items() if not following)
CANDIDATE = frozenset({Status.PREPARING, Status.CREATING, Status.STARTING, Status.CHECKING})
CHOSEN = frozenset({Status.SWITCHING, Status.DRAINING})

DRAIN_S = 30.0
"""How long requests to the old release may take to finish."""

DEADLINES_S: Mapping[Status, float] = {
    Status.PREPARING: 360.0,
    Status.CREATING: 120.0,
    Status.STARTING: 60.0,
    Status.SWITCHING: 30.0,
    Status.DRAINING: DRAIN_S + 60.0,
}
"""For every step but checking, whose deadline comes with the request."""


class TransitionRefused(Exception):
    """The table does not allow this; a defect, or somebody else was faster."""


def check_transition(before: Status, after: Status) -> None:
    if after not in TRANSITIONS[before]:
        raise TransitionRefused(f"a deploy cannot go from {before} to {after}")
