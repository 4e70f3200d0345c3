"""What an interrupted request becomes: what its upstream says that it was."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.metering.inquiry import Inquiry
from gateway.metering.performed_price import PerformedPrice
from gateway.metering.recovery import Recovery
from gateway.metering.segments import START
from gateway.routes.route import Upstream as Route
from gateway.routes.units import parse_target
from gateway.rules.period import period_at
from gateway.upstream_client import UpstreamClient
from shared.config import Secret
from shared.identity import ANONYMOUS, SignedRequest, verify
from shared.relay.director import UpstreamSpec
from shared.supervise import supervised
from tests.integration.gateway_data.conftest import until
from tests.integration.gateway_data.metering_desk import (
    CLOCK,
    SECRET,
    USER,
    Desk,
    desk,
    intent,
    new_id,
    result,
)


@pytest.fixture
def recovery_of(upstream: Any) -> Callable[..., Awaitable[Recovery]]:
    async def make(of: Desk, response_timeout: float = 0.4) -> Recovery:
        spec = UpstreamSpec(
            name="hoster", targets=(parse_target(upstream.url),), response_timeout=response_timeout
        )
        route = Route(spec, None, "/internal/operations/{request_id}")
        inquiry = Inquiry(UpstreamClient(), Secret(SECRET), CLOCK, new_id)
        price = PerformedPrice(lambda _: None)
        return Recovery(of.meter, of.ledger, inquiry, {"hoster": route}.get, price, CLOCK, slack_s=0.1)

    return make


async def settled(recovery: Recovery) -> None:
    await until(lambda: not recovery.pending)
    await recovery._inquiry._client.close()


async def test_an_intent_left_open_becomes_what_the_upstream_says(
    tmp_path: Path, upstream: Any, recovery_of: Any
) -> None:
    performed, not_performed = intent(), intent()
    async with desk(tmp_path) as first:
        first.meter.begin(performed)
        first.meter.begin(not_performed)
    upstream.performed[performed.id] = "deployment.deleted"

    async with desk(tmp_path) as again:
        await again.counters.seed(
            USER, period_at(CLOCK.now()), await again.books.seed(USER, period_at(CLOCK.now()))
        )
        assert await again.used() == 2
        recovery = await recovery_of(again)
        await recovery.begin(again.journal.open_intents())
        async with supervised({"recovery": recovery.run}, lambda: None):
            await settled(recovery)

        (event,) = (await again.books.events(USER, 10, None))[0]
        assert (event.id, event.event_type, event.cost, event.status) == (
            performed.id,
            "deployment.deleted",
            1.0,
            202,
        )
        assert await again.used() == 1
        assert recovery.recovered == 2
    assert [one["method"] for one in upstream.seen] == ["GET"] * len(upstream.seen)
    asked = dict(upstream.seen[0]["headers"])
    signed = SignedRequest("GET", upstream.seen[0]["target"], asked["X-Request-ID"])
    verify(SECRET, asked["X-Identity-Signature"], ANONYMOUS, signed, CLOCK.now())


async def test_a_request_that_was_not_performed_yet_is_asked_about_until_it_cannot_be_any_more(
    tmp_path: Path, upstream: Any, recovery_of: Any
) -> None:
    async with desk(tmp_path) as first:
        young = intent(created_at=CLOCK.now())
        first.meter.begin(young)
        recovery = await recovery_of(first, response_timeout=60.0)
        recovery.inquire(young, replace(result(young, cost=0.0), status=502, event_type=None))
        async with supervised({"recovery": recovery.run}, lambda: None):
            await until(lambda: bool(upstream.seen))
            upstream.performed[young.id] = "deployment.created"
            await settled(recovery)

        (event,) = (await first.books.events(USER, 10, None))[0]
        assert (event.status, event.event_type, event.cost) == (502, "deployment.created", 1.0)


async def test_an_upstream_that_can_cancel_ends_a_request_at_once_and_for_good(
    tmp_path: Path, upstream: Any, recovery_of: Any
) -> None:
    upstream.cancels = True
    async with desk(tmp_path) as first:
        one = intent(created_at=CLOCK.now())
        first.meter.begin(one)
        # Longer than it is waited for here: so it is not for this time to pass.
        recovery = await recovery_of(first, response_timeout=300.0)
        await recovery.begin(first.journal.open_intents())
        async with supervised({"recovery": recovery.run}, lambda: None):
            await settled(recovery)

        assert upstream.cancelled == {one.id}
        assert (await first.events(), await first.used()) == ([], 0)
        asked = upstream.seen[-1]
        assert asked["method"] == "DELETE"
        headers = dict(asked["headers"])
        signed = SignedRequest("DELETE", asked["target"], headers["X-Request-ID"])
        verify(SECRET, headers["X-Identity-Signature"], ANONYMOUS, signed, CLOCK.now())


async def test_without_a_reconcile_path_a_request_left_open_is_an_event_that_costs_nothing(
    tmp_path: Path, upstream: Any, recovery_of: Any
) -> None:
    async with desk(tmp_path) as first:
        one = intent(upstream="one that is gone")
        first.meter.begin(one)
        recovery = await recovery_of(first)
        await recovery.begin(first.journal.open_intents())
        async with supervised({"recovery": recovery.run}, lambda: None):
            await settled(recovery)

        (event,) = (await first.books.events(USER, 10, None))[0]
        assert (event.id, event.status, event.event_type, event.cost) == (one.id, 0, None, 0.0)
        assert (await first.used(), upstream.seen) == (0, [])


async def test_an_upstream_that_cannot_be_reached_leaves_the_intent_open(
    tmp_path: Path, recovery_of: Any, upstream: Any
) -> None:
    upstream.url = "http://127.0.0.1:1"
    async with desk(tmp_path) as first:
        one = intent()
        first.meter.begin(one)
        recovery = await recovery_of(first)
        await recovery.begin(first.journal.open_intents())
        async with supervised({"recovery": recovery.run}, lambda: None):
            await asyncio.sleep(0.3)

        assert recovery.pending == 1
        assert first.journal.open_intents() == [one]
        assert await first.used() == 1
        await recovery._inquiry._client.close()


async def test_what_the_ledger_has_is_not_asked_about(
    tmp_path: Path, recovery_of: Any, upstream: Any
) -> None:
    async with desk(tmp_path) as first:
        one = intent()
        first.meter.begin(one)
        await first.ledger.record([(one, result(one))], START)
        recovery = await recovery_of(first)
        await recovery.begin(first.journal.open_intents())

        assert (recovery.pending, upstream.seen) == (0, [])
        assert await first.events() == [one.id]
        await recovery._inquiry._client.close()
