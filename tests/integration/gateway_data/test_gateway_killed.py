"""`kill -9` in the middle of a request, then a restart: one event for what was done, none for what was not."""

import asyncio
import contextlib
import signal

import aiohttp
import pytest

from tests.integration.gateway_data.conftest import SignUp, StartGateway, Upstream, Visitor, until


@pytest.mark.parametrize("counters", ["redis", "local"])
@pytest.mark.parametrize(("do", "performed"), [("perform-then-hold", 1), ("hold", 0)])
async def test_a_killed_gateway_settles_what_it_was_doing(
    start_gateway: StartGateway,
    sign_up: SignUp,
    upstream: Upstream,
    redis_url: str,
    counters: str,
    do: str,
    performed: int,
) -> None:
    gateway = await start_gateway(redis_url if counters == "redis" else None)
    ada = await sign_up(gateway)
    assert (await ada.create())[0] == 202
    upstream.performed_one.clear()

    call = asyncio.ensure_future(ada.create(do))
    await upstream.performed_one.wait()
    gateway.end(signal.SIGKILL)
    with contextlib.suppress(aiohttp.ClientError):
        await call
    await gateway.start()
    ada = await sign_up(gateway)

    await until(lambda: _is_settled(ada))
    events = (await ada.get("/mod/usage/events"))["items"]
    assert sorted(event["id"] for event in events) == sorted(upstream.performed)
    assert len(events) == 1 + performed
    assert {event["cost"] for event in events} == {1.0}
    usage = await ada.get("/mod/usage")
    assert usage["quota"]["used"] == 1 + performed
    assert (await ada.get("/stats"))["journal"]["recovered"] == 1
    assert (await ada.create())[1]["X-Quota-Used"] == str(2 + performed)


async def test_what_the_upstream_performs_after_the_kill_and_after_it_was_asked_is_recorded(
    start_gateway: StartGateway, sign_up: SignUp, upstream: Upstream, redis_url: str
) -> None:
    gateway = await start_gateway(redis_url)
    ada = await sign_up(gateway)
    call = asyncio.ensure_future(ada.create("hold-then-perform"))
    await upstream.performed_one.wait()
    gateway.end(signal.SIGKILL)
    with contextlib.suppress(aiohttp.ClientError):
        await call
    await gateway.start()
    await until(lambda: sum(one["target"].startswith("/internal/operations/") for one in upstream.seen) > 1)
    upstream.hold.set()

    ada = await sign_up(gateway)
    await until(lambda: _is_settled(ada))
    (event,) = (await ada.get("/mod/usage/events"))["items"]
    assert [event["id"]] == list(upstream.performed)
    assert (event["event_type"], event["cost"]) == ("deployment.created", 1.0)
    assert (await ada.get("/mod/usage"))["quota"]["used"] == 1


async def test_without_a_reconcile_path_what_was_under_way_is_recorded_and_free(
    start_gateway: StartGateway, sign_up: SignUp, upstream: Upstream
) -> None:
    gateway = await start_gateway()
    routes = gateway.routes.read_text()
    gateway.routes.write_text(routes.replace("reconcile: /internal/operations/{request_id}", ""))
    gateway.end()
    await gateway.start()
    ada = await sign_up(gateway)
    call = asyncio.ensure_future(ada.create("perform-then-hold"))
    await upstream.performed_one.wait()
    gateway.end(signal.SIGKILL)
    with contextlib.suppress(aiohttp.ClientError):
        await call
    await gateway.start()

    ada = await sign_up(gateway)
    await until(lambda: _is_settled(ada))
    (event,) = (await ada.get("/mod/usage/events"))["items"]
    assert [event["id"]] == list(upstream.performed)
    assert (event["status"], event["event_type"], event["cost"]) == (0, None, 0)
    assert (await ada.get("/mod/usage"))["quota"]["used"] == 0
    assert "request_cannot_be_reconciled" in gateway.log()


async def test_what_was_answered_survives_the_kill(
    start_gateway: StartGateway, sign_up: SignUp, upstream: Upstream, redis_url: str
) -> None:
    gateway = await start_gateway(redis_url)
    ada = await sign_up(gateway)
    answered = 0

    async def call() -> None:
        nonlocal answered
        with contextlib.suppress(aiohttp.ClientError):
            while True:
                status, _, _ = await ada.create()
                answered += status == 202

    calls = [asyncio.ensure_future(call()) for _ in range(4)]
    await until(lambda: answered >= 20)
    gateway.end(signal.SIGKILL)
    await asyncio.gather(*calls)
    await gateway.start()
    ada = await sign_up(gateway)
    await until(lambda: _is_settled(ada))

    (total,) = (await ada.get("/mod/usage"))["totals"]
    assert total["count"] == len(upstream.performed)
    assert answered <= total["count"] <= answered + 4
    assert (await ada.get("/mod/usage"))["quota"]["used"] == total["count"]


async def _is_settled(visitor: Visitor) -> bool:
    stats = await visitor.get("/stats")
    return not stats["journal"]["unsettled"] and not stats["counters"]["unsettled"]
