import itertools
from typing import Any

import pytest

from hoster.deployments.diagram import FILE, diagram
from hoster.deployments.transitions import (
    InvalidTransition,
    Move,
    Repeat,
    State,
    Trigger,
    decide,
    may_still_reach,
)

# The contract, written out once more and independently: what each trigger does in each state. `=` is a repeat.
CONTRACT = {
    Trigger.START: {"pending": "scheduled", "stopped": "starting", "failed": "starting", "scheduled": "=", "starting": "=",
                    "running": "="},
    Trigger.BEGIN: {"scheduled": "starting"},
    Trigger.UP: {"starting": "running"},
    Trigger.STOP: {"running": "stopping", "stopping": "=", "stopped": "="},
    Trigger.DOWN: {"stopping": "stopped"},
    Trigger.DELETE: {"pending": "deleting", "scheduled": "deleting", "starting": "deleting", "running": "deleting",
                     "stopping": "deleting", "stopped": "deleting", "failed": "deleting", "deleting": "="},
    Trigger.GONE: {"deleting": "deleted", "deleted": "="},
    Trigger.FAIL: {"scheduled": "failed", "starting": "failed", "running": "failed", "stopping": "failed"},
    Trigger.RESTART: {"running": "starting"},
    Trigger.REDEPLOY: {"running": "starting", "failed": "starting"},
    Trigger.ROLLBACK: {"running": "starting", "failed": "starting"},
    Trigger.KEPT: {"starting": "running"},
    Trigger.LOST: {"running": "starting"},
    Trigger.STRAYED: {"stopped": "stopping"},
    Trigger.RECOVERED: {"failed": "running"},
    Trigger.RESUMED: {"failed": "starting"},
}  # fmt: skip


@pytest.mark.parametrize(("state", "trigger"), list(itertools.product(State, Trigger)))
def test_every_pair_of_state_and_trigger_does_what_the_contract_says(state: State, trigger: Trigger) -> None:
    expected = CONTRACT[trigger].get(state.value)
    if expected is None:
        with pytest.raises(InvalidTransition):
            decide(state, trigger)
    elif expected == "=":
        assert decide(state, trigger) == Repeat(state)
    else:
        assert decide(state, trigger) == Move(state, State(expected))


def test_a_stopped_deployment_cannot_be_stopped_into_failure() -> None:
    assert decide(State.STOPPED, Trigger.STOP) == Repeat(State.STOPPED)
    with pytest.raises(InvalidTransition):
        decide(State.STOPPED, Trigger.FAIL)


@pytest.mark.parametrize(
    ("state", "trigger", "said"),
    [
        (State.STOPPED, Trigger.RESTART, "in state stopped cannot be restarted: start it instead."),
        (State.STOPPED, Trigger.ROLLBACK, "in state stopped cannot be rolled back: start it first."),
        (State.STARTING, Trigger.REDEPLOY, "in state starting cannot be redeployed."),
        (State.FAILED, Trigger.STOP, "in state failed cannot be stopped."),
    ],
)
def test_a_refused_order_is_told_with_what_can_be_done_instead(
    state: State, trigger: Trigger, said: str
) -> None:
    with pytest.raises(InvalidTransition) as refused:
        decide(state, trigger)
    assert str(refused.value) == f"A deployment {said}"


@pytest.mark.parametrize(
    ("state", "target", "sensible"),
    [
        (State.SCHEDULED, State.RUNNING, True),
        (State.STOPPED, State.RUNNING, True),
        (State.FAILED, State.RUNNING, False),
        (State.DELETING, State.RUNNING, False),
        (State.DELETED, State.RUNNING, False),
        (State.DELETING, State.DELETED, True),
        (State.RUNNING, State.PENDING, False),
        (State.FAILED, State.FAILED, True),
    ],
)
def test_waiting_is_given_up_where_the_state_can_no_longer_come(
    state: State, target: Any, sensible: Any
) -> None:
    assert may_still_reach(state, target) is sensible


def test_the_diagram_in_the_repository_is_the_table() -> None:
    assert FILE.read_text(encoding="utf-8") == diagram(), "run python -m hoster.deployments.diagram"
