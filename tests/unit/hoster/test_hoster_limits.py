import dataclasses
import json
from typing import Any

import pytest

from hoster.deployments.limits import (
    FREE,
    PlanLimitReached,
    PlanLimitsUnreadable,
    Usage,
    check_capabilities,
    check_limits,
    parse_limits,
)
from hoster.deployments.resources import Resources

LIMITS = parse_limits(
    '{"max_deployments":2,"max_cpu_cores":0.3,"max_memory_mb":100,"max_disk_mb":100,"allowed_capabilities":["standard"]}'
)
SMALL = Resources.of(0.1, 10, 10)


def test_exactly_at_the_limit_is_permitted() -> None:
    check_limits(LIMITS, Usage(1, Resources.of(0.2, 90, 90)), SMALL)


@pytest.mark.parametrize(
    ("usage", "limit"),
    [
        (Usage(2, Resources(0, 0, 0)), "max_deployments"),
        (Usage(1, Resources.of(0.201, 0, 0)), "max_cpu_cores"),
        (Usage(1, Resources.of(0, 91, 0)), "max_memory_mb"),
        (Usage(1, Resources.of(0, 0, 91)), "max_disk_mb"),
    ],
)
def test_one_more_than_the_limit_names_the_limit(usage: Any, limit: Any) -> None:
    with pytest.raises(PlanLimitReached) as reached:
        check_limits(LIMITS, usage, SMALL)

    assert reached.value.limit == limit


def test_zero_permits_nothing_and_minus_one_everything() -> None:
    with pytest.raises(PlanLimitReached):
        check_limits(dataclasses.replace(LIMITS, max_deployments=0), Usage(0, Resources(0, 0, 0)), SMALL)
    unlimited = parse_limits('{"max_deployments":-1,"max_cpu_cores":-1,"max_memory_mb":-1,"max_disk_mb":-1}')
    check_limits(unlimited, Usage(10**6, Resources(10**9, 10**9, 10**9)), SMALL)


def test_absent_limits_are_the_free_plan() -> None:
    assert parse_limits("") == FREE
    assert parse_limits("{}") == FREE


@pytest.mark.parametrize(
    "text",
    ["x", "[]", "null", pytest.param("[" * 60_000, id="nested"), '{"max_deployments":"5"}', '{"max_deployments":true}', '{"max_deployments":-2}',
     '{"max_memory_mb":1.5}', '{"max_cpu_cores":NaN}', '{"max_cpu_cores":Infinity}', '{"max_memory_mb":1e999}', '{"allowed_capabilities":"gpu"}', '{"max_disk_mb":null}'],
)  # fmt: skip
def test_unreadable_limits_are_refused(text: Any) -> None:
    with pytest.raises(PlanLimitsUnreadable):
        parse_limits(text)


def test_what_is_shown_can_be_read_back() -> None:
    assert parse_limits(json.dumps(LIMITS.as_json())) == LIMITS


def test_a_plan_without_a_capability_cannot_ask_for_it() -> None:
    check_capabilities(LIMITS, frozenset({"standard"}))
    check_capabilities(FREE, frozenset({"gpu"}))
    with pytest.raises(PlanLimitReached):
        check_capabilities(LIMITS, frozenset({"gpu"}))
