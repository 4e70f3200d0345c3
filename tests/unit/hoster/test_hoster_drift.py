import itertools

import pytest

from hoster.deployments.drift import Recorded, Remedy, Seen, plan
from hoster.deployments.remedies import TRIGGERS
from hoster.deployments.transitions import State, decide

SHOWN = (None, "created", "deploying", "running", "stopped", "failed", "crashed", "a word of a later worker")
AT_REST = (State.RUNNING, State.STOPPED, State.FAILED, State.DELETED)

# Written out once more and independently: what is done where a node shows this of a deployment that is recorded so.
EXPECTED = {
    (State.RUNNING, None): Remedy.BRING_BACK,
    (State.RUNNING, "created"): Remedy.BRING_BACK,
    (State.RUNNING, "stopped"): Remedy.BRING_BACK,
    (State.RUNNING, "failed"): Remedy.FAIL,
    (State.RUNNING, "crashed"): Remedy.FAIL,
    (State.STOPPED, "running"): Remedy.STOP,
    (State.FAILED, "running"): Remedy.RECOVER,
    **{(State.DELETED, shown): Remedy.DELETE for shown in SHOWN if shown is not None},
}


def _recorded(state: State, *, failed_by_drift: bool = True, given_up: bool = False) -> Recorded:
    return Recorded(
        deployment_id="dep_1", project_id="app-1", org_id="org_a", state=state, failed_by_drift=failed_by_drift,
        given_up=given_up, updated_at=1.0,
    )  # fmt: skip


@pytest.mark.parametrize(("state", "shown"), list(itertools.product(AT_REST, SHOWN)))
def test_every_pair_of_what_is_recorded_and_what_is_shown_has_its_one_remedy(
    state: State, shown: str | None
) -> None:
    seen = [] if shown is None else [Seen("app-1", "org_a", shown)]
    remedies = [decision.remedy for decision in plan([_recorded(state)], seen)]

    expected = EXPECTED.get((state, shown))
    assert remedies == ([] if expected is None else [expected])


@pytest.mark.parametrize(("pair", "remedy"), list(EXPECTED.items()))
def test_every_remedy_is_a_legal_step_from_the_state_that_it_is_for(
    pair: tuple[State, str | None], remedy: Remedy
) -> None:
    assert decide(pair[0], TRIGGERS[remedy])


def test_a_deployment_that_an_order_left_failed_is_not_called_running_behind_its_owners_back() -> None:
    assert plan([_recorded(State.FAILED, failed_by_drift=False)], [Seen("app-1", "org_a", "running")]) == []


@pytest.mark.parametrize("shown", SHOWN)
def test_what_was_given_up_without_knowing_is_tried_again_whatever_is_there_unless_the_node_is_at_it(
    shown: str | None,
) -> None:
    seen = [] if shown is None else [Seen("app-1", "org_a", shown)]
    remedies = [
        decision.remedy
        for decision in plan([_recorded(State.FAILED, failed_by_drift=False, given_up=True)], seen)
    ]
    assert remedies == ([] if shown == "deploying" else [Remedy.RESUME])
    assert decide(State.FAILED, TRIGGERS[Remedy.RESUME])


@pytest.mark.parametrize(("state", "shown"), list(itertools.product(AT_REST, SHOWN[1:])))
def test_a_project_of_another_organisation_is_never_touched(state: State, shown: str) -> None:
    assert plan([_recorded(state)], [Seen("app-1", "org_b", shown)]) == []


def test_projects_that_were_never_ours_are_left_alone() -> None:
    assert plan([], [Seen("somebody-elses", "org_a", "running")]) == []
