"""The two public conformance suites, case by case, against the relay in front of an origin that echoes."""

from dataclasses import replace

import pytest

from tests.conformance.case import Case
from tests.conformance.dialogue import Server
from tests.conformance.suites import SUITES, Suite
from tests.servers.body_echo import body_echo
from tests.servers.relay_under_test import served_relay

_CASES = [
    pytest.param(suite, case, id=f"{suite.name}: {case.name}") for suite in SUITES for case in suite.cases
]


def test_each_suite_has_its_33_cases() -> None:
    assert [len({case.name for case in suite.cases}) for suite in SUITES] == [33, 33, 33]


@pytest.mark.parametrize(("suite", "case"), _CASES)
async def test_the_relay_conforms(suite: Suite, case: Case) -> None:
    async with body_echo() as origin, served_relay(origin) as relay:
        server = Server("127.0.0.1", relay.port, silence=0.1)

        assert await case.fault(replace(server, half_close=suite.half_close)) is None
