"""What to do where a node shows something else than what is recorded. Pure: two lists in, decisions out.

Rules:
- What was given up without knowing what the node would have made of it is tried again, whatever the node shows but that it is at it.
- Only deployments at rest are compared; while an order is carried out, its job is what finds out.
- What a node does not call by our name and our organisation is not ours: it is neither started, stopped nor deleted.
- Nothing here is an order of the owner, so nothing here is billed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from hoster.deployments.transitions import State

MISSING = "missing"
"""Shown beside the worker's own words for the status of a project: the node answers, and does not know it."""


class Remedy(StrEnum):
    FAIL = "fail"
    RECOVER = "recover"
    BRING_BACK = "bring_back"
    RESUME = "resume"
    STOP = "stop"
    DELETE = "delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A deployment at rest on a node. `updated_at` tells whether it still is what it was when it was read."""

    deployment_id: str
    project_id: str
    org_id: str
    state: State
    failed_by_drift: bool
    given_up: bool
    updated_at: float


@dataclass(frozen=True, slots=True)
class Seen:
    """A project as its node lists it."""

    project_id: str
    org_id: str
    status: str


@dataclass(frozen=True, slots=True)
class Decision:
    recorded: Recorded
    remedy: Remedy
    reason: str


_REMEDIES: Mapping[tuple[State, str], Remedy] = {
    (State.RUNNING, "failed"): Remedy.FAIL,
    (State.RUNNING, "crashed"): Remedy.FAIL,
    (State.RUNNING, "stopped"): Remedy.BRING_BACK,
    (State.RUNNING, "created"): Remedy.BRING_BACK,
    (State.RUNNING, MISSING): Remedy.BRING_BACK,
    (State.STOPPED, "running"): Remedy.STOP,
    (State.FAILED, "running"): Remedy.RECOVER,
}

_REASONS: Mapping[tuple[Remedy, str], str] = {
    (Remedy.FAIL, "failed"): "The app failed on its node.",
    (Remedy.FAIL, "crashed"): "The app keeps crashing.",
    (Remedy.BRING_BACK, "stopped"): "The node had stopped the app; it is started again.",
    (Remedy.BRING_BACK, "created"): "The node had lost the app's release; it is deployed again.",
    (Remedy.BRING_BACK, MISSING): "The node had lost the app; it is brought back.",
    (Remedy.STOP, "running"): "The app ran on its node although it was stopped; it is stopped again.",
    (Remedy.RECOVER, "running"): "The app runs again by itself.",
}
_UNDER_WAY = "deploying"
_RESUMED = "The node answers again; what was given up is tried again."
_LEFT_OVER = "The node still had the app after it was deleted; it is removed."


def plan(recorded: Iterable[Recorded], seen: Iterable[Seen]) -> list[Decision]:
    """`seen` must be everything that the node has: what is not in it counts as gone."""
    by_project = {project.project_id: project for project in seen}
    decisions = (_decide(one, by_project.get(one.project_id)) for one in recorded)
    return [decision for decision in decisions if decision is not None]


def _decide(recorded: Recorded, seen: Seen | None) -> Decision | None:
    if seen is not None and seen.org_id != recorded.org_id:
        return None
    if recorded.state is State.FAILED and recorded.given_up:
        is_at_it = seen is not None and seen.status == _UNDER_WAY
        return None if is_at_it else Decision(recorded, Remedy.RESUME, _RESUMED)
    if recorded.state is State.FAILED and not recorded.failed_by_drift:
        return None  # a failed order stays failed until its owner orders again
    if recorded.state is State.DELETED:
        return None if seen is None else Decision(recorded, Remedy.DELETE, _LEFT_OVER)
    status = MISSING if seen is None else seen.status
    remedy = _REMEDIES.get((recorded.state, status))
    return None if remedy is None else Decision(recorded, remedy, _REASONS[remedy, status])
