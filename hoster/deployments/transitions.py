"""The states of a deployment, as a table.

Rules:
- Everything that decides whether a deployment may change its state is in this file; the database applies it by
  compare-and-swap.
- A trigger is either an order of the owner (`START`, `STOP`, `RESTART`, `REDEPLOY`, `ROLLBACK`, `DELETE`), something that a job
  found out (`BEGIN`, `UP`, `KEPT`, `DOWN`, `GONE`, `FAIL`), or something that the node did by itself (`LOST`, `STRAYED`,
  `RECOVERED`, `FAIL`), or that it answers again (`RESUMED`: a start was given up without knowing what it would have made of it).
- `KEPT`: a new release did not come up, and the one before still serves.
- An order that is already carried out, or is being carried out, is a repeat: it changes nothing and is not billed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    PENDING = "pending"
    SCHEDULED = "scheduled"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    DELETING = "deleting"
    DELETED = "deleted"
    FAILED = "failed"


NOT_MEANT_TO_RUN = frozenset({State.PENDING, State.STOPPING, State.STOPPED, State.DELETING, State.DELETED})
"""Of what is down in these, nothing is wrong."""


class Trigger(StrEnum):
    START = "start"
    BEGIN = "begin"
    UP = "up"
    STOP = "stop"
    DOWN = "down"
    RESTART = "restart"
    REDEPLOY = "redeploy"
    ROLLBACK = "rollback"
    KEPT = "kept"
    DELETE = "delete"
    GONE = "gone"
    FAIL = "fail"
    LOST = "lost"
    STRAYED = "strayed"
    RECOVERED = "recovered"
    RESUMED = "resumed"


_REFUSED: Mapping[Trigger, str] = {
    Trigger.START: "be started",
    Trigger.STOP: "be stopped",
    Trigger.RESTART: "be restarted",
    Trigger.REDEPLOY: "be redeployed",
    Trigger.ROLLBACK: "be rolled back",
    Trigger.DELETE: "be deleted",
}
_ADVICE: Mapping[Trigger, str] = {
    Trigger.RESTART: "start it instead",
    Trigger.REDEPLOY: "start it, which also deploys what waits",
    Trigger.ROLLBACK: "start it first",
}
"""Where a start is what can be ordered."""


class InvalidTransition(Exception):
    """This order makes no sense in this state."""

    def __init__(self, state: State, trigger: Trigger) -> None:
        advice = _ADVICE.get(trigger) if (state, Trigger.START) in TRANSITIONS else None
        refused = f"A deployment in state {state} cannot {_REFUSED.get(trigger, f'take {trigger}')}"
        super().__init__(f"{refused}: {advice}." if advice else f"{refused}.")
        self.state = state
        self.trigger = trigger


@dataclass(frozen=True, slots=True)
class Move:
    """Apply by compare-and-swap: from `source`, which was read, to `target`."""

    source: State
    target: State


@dataclass(frozen=True, slots=True)
class Repeat:
    """Nothing to do; the order is already carried out or under way."""

    state: State


_DELETABLE = tuple(state for state in State if state not in {State.DELETING, State.DELETED})

TRANSITIONS: Mapping[tuple[State, Trigger], State] = {
    (State.PENDING, Trigger.START): State.SCHEDULED,
    (State.STOPPED, Trigger.START): State.STARTING,
    (State.FAILED, Trigger.START): State.STARTING,
    (State.SCHEDULED, Trigger.BEGIN): State.STARTING,
    (State.STARTING, Trigger.UP): State.RUNNING,
    (State.RUNNING, Trigger.STOP): State.STOPPING,
    (State.STOPPING, Trigger.DOWN): State.STOPPED,
    (State.DELETING, Trigger.GONE): State.DELETED,
    (State.SCHEDULED, Trigger.FAIL): State.FAILED,
    (State.STARTING, Trigger.FAIL): State.FAILED,
    (State.RUNNING, Trigger.FAIL): State.FAILED,
    (State.STOPPING, Trigger.FAIL): State.FAILED,
    (State.RUNNING, Trigger.RESTART): State.STARTING,
    (State.RUNNING, Trigger.REDEPLOY): State.STARTING,
    (State.FAILED, Trigger.REDEPLOY): State.STARTING,
    (State.RUNNING, Trigger.ROLLBACK): State.STARTING,
    (State.FAILED, Trigger.ROLLBACK): State.STARTING,
    (State.STARTING, Trigger.KEPT): State.RUNNING,
    (State.RUNNING, Trigger.LOST): State.STARTING,
    (State.STOPPED, Trigger.STRAYED): State.STOPPING,
    (State.FAILED, Trigger.RECOVERED): State.RUNNING,
    (State.FAILED, Trigger.RESUMED): State.STARTING,
    **{(state, Trigger.DELETE): State.DELETING for state in _DELETABLE},
}

REPEATS: Mapping[Trigger, frozenset[State]] = {
    Trigger.START: frozenset({State.SCHEDULED, State.STARTING, State.RUNNING}),
    Trigger.STOP: frozenset({State.STOPPING, State.STOPPED}),
    Trigger.DELETE: frozenset({State.DELETING}),
    Trigger.GONE: frozenset({State.DELETED}),
}

_SETTLED_BY_FAILURE = frozenset({State.FAILED, State.DELETING, State.DELETED})


def decide(state: State, trigger: Trigger) -> Move | Repeat:
    """Raises InvalidTransition."""
    target = TRANSITIONS.get((state, trigger))
    if target is not None:
        return Move(state, target)
    if state in REPEATS.get(trigger, ()):
        return Repeat(state)
    raise InvalidTransition(state, trigger)


def may_still_reach(state: State, target: State) -> bool:
    """Whether waiting for `target` makes sense: false where only a new order after a failure, or nothing at all, leads there."""
    if state == target:
        return True
    if state in _SETTLED_BY_FAILURE:
        return target in _after(state) and target in {State.DELETING, State.DELETED}
    return target in _after(state)


def _after(state: State) -> frozenset[State]:
    reached: set[State] = set()
    frontier = {state}
    while frontier:
        found = {target for (source, _), target in TRANSITIONS.items() if source in frontier}
        frontier = found - reached
        reached |= found
    return frozenset(reached)
