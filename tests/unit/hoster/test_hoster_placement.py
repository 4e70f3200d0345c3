import dataclasses
from typing import Any

import pytest

from hoster.deployments.placement import (
    Candidate,
    Demand,
    EngineUnavailable,
    NoNodeAvailable,
    Refusal,
    choose,
    refuse,
    score,
)
from hoster.deployments.resources import Resources

NODE = Candidate(
    node_id="node_a",
    online=True,
    maintenance=False,
    engine_ok=True,
    region="attic",
    capabilities=frozenset({"standard", "ssd"}),
    capacity=Resources.of(4, 1000, 1000),
    reserved=Resources.of(1, 500, 500),
)
DEMAND = Demand(
    resources=Resources.of(1, 100, 100),
    region=None,
    required_capabilities=frozenset({"ssd"}),
    allowed_capabilities=frozenset({"standard"}),
)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, None),
        ({"online": False, "engine_ok": False}, Refusal.OFFLINE),
        ({"maintenance": True}, Refusal.MAINTENANCE),
        ({"engine_ok": False}, Refusal.ENGINE_UNAVAILABLE),
        ({"capabilities": frozenset({"standard"})}, Refusal.CAPABILITIES),
        ({"capabilities": frozenset({"ssd"})}, Refusal.PLAN),
        ({"reserved": Resources.of(3.5, 0, 0)}, Refusal.CPU),
        ({"reserved": Resources.of(0, 901, 0)}, Refusal.MEMORY),
        ({"reserved": Resources.of(0, 0, 901)}, Refusal.DISK),
        ({"reserved": Resources.of(3, 900, 900)}, None),
    ],
)
def test_a_node_is_refused_for_the_first_reason_that_applies(change: Any, reason: Any) -> None:
    assert refuse(dataclasses.replace(NODE, **change), DEMAND) is reason


def test_a_region_is_an_exact_wish() -> None:
    assert refuse(NODE, dataclasses.replace(DEMAND, region="attic")) is None
    assert refuse(NODE, dataclasses.replace(DEMAND, region="moon")) is Refusal.REGION


def test_the_score_is_the_weighted_share_that_is_left() -> None:
    assert score(NODE, DEMAND.resources) == pytest.approx(30 * 2 / 4 + 40 * 400 / 1000 + 30 * 400 / 1000)


def test_most_room_wins_and_equals_are_decided_by_id() -> None:
    roomier = dataclasses.replace(NODE, node_id="node_z", reserved=Resources(0, 0, 0))
    assert choose([NODE, roomier], DEMAND) == "node_z"
    twin = dataclasses.replace(NODE, node_id="node_b")
    assert choose([twin, NODE], DEMAND) == "node_a"


def test_refusals_are_counted_by_reason() -> None:
    offline = dataclasses.replace(NODE, online=False)
    full = dataclasses.replace(NODE, reserved=NODE.capacity)
    with pytest.raises(NoNodeAvailable) as nowhere:
        choose([offline, offline, full], DEMAND)

    assert nowhere.value.reasons == {Refusal.OFFLINE: 2, Refusal.CPU: 1}


def test_an_engine_that_is_down_is_told_apart_only_when_it_is_what_is_missing() -> None:
    broken = dataclasses.replace(NODE, engine_ok=False)
    with pytest.raises(EngineUnavailable):
        choose([broken, dataclasses.replace(NODE, online=False)], DEMAND)
    assert choose([broken, NODE], DEMAND) == NODE.node_id
