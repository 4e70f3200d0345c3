"""The whole gateway over real sockets: register, sign in, use, see it metered."""

import asyncio
import signal
import statistics
import time
from collections import Counter
from itertools import count
from typing import Any

import aiohttp
import pytest
from redis import Redis
from yarl import URL

from shared.identity import Identity, SignedRequest, verify
from tests.integration.gateway_data.conftest import (
    IDENTITY_SECRET,
    GatewayProcess,
    OwnRedis,
    SignUp,
    StartGateway,
    Upstream,
    Visitor,
    until,
)


async def test_a_billed_operation_is_seen_in_the_usage(
    start_gateway: StartGateway, sign_up: SignUp, upstream: Upstream, redis_url: str
) -> None:
    gateway = await start_gateway(redis_url)
    ada = await sign_up(gateway)

    status, headers, _ = await ada.create()

    assert status == 202
    assert (headers["X-Quota-Limit"], headers["X-Quota-Used"], headers["X-Quota-Remaining"]) == (
        "1000",
        "1",
        "999",
    )
    events = await ada.get("/mod/usage/events")
    assert [event["id"] for event in events["items"]] == list(upstream.performed) == [headers["X-Request-ID"]]
    assert events["items"][0]["event_type"] == "deployment.created"
    usage = await ada.get("/mod/usage")
    assert usage["totals"] == [{"event_type": "deployment.created", "count": 1, "cost": 1.0}]
    assert usage["quota"]["used"] == 1
    stats = await ada.get("/stats")
    assert stats["journal"]["written"] == stats["journal"]["shipped"] == 1
    assert stats["requests"]["billing"] == {"2xx": 1}
    assert stats["counters"]["state"] == "redis"
    await until(lambda: _upstream_is(ada, "healthy"))


async def test_a_head_that_is_let_in_is_read_by_the_gateways_own_routes_too(
    start_gateway: StartGateway, sign_up: SignUp
) -> None:
    """A browser sends every cookie of its domain; the library that reads them would refuse a long one, and repeat it."""
    gateway = await start_gateway()
    ada = await sign_up(gateway)
    for fields, code in (
        ({"Cookie": "c" * 20_000}, None),
        ({"Cookie": "c" * 20_000, "Authorization": "Bearer x"}, "invalid_token"),
    ):
        async with ada.session.get(f"{gateway.url}/mod/auth/me", headers=ada.headers | fields) as response:
            assert (response.status == 200) is (code is None), await response.text()
            assert (await response.json()).get("code") == code
            assert "aiohttp" not in response.headers.get("Server", "")
    async with ada.session.post(
        f"{gateway.url}/mod/auth/login", data=b"{", headers={"Content-Encoding": "gzip"}
    ) as response:
        assert (response.status, response.content_type) == (400, "application/problem+json")
    assert "Traceback" not in gateway.log()


async def test_the_upstream_can_verify_who_asks_whatever_the_client_writes(
    start_gateway: StartGateway, sign_up: SignUp, upstream: Upstream
) -> None:
    gateway = await start_gateway()
    ada = await sign_up(gateway)
    spoofed = {
        "X-User-ID": "user_victim",
        "x_user_id": "user_victim",
        "X.Plan.Limits": "{}",
        "Connection": "keep-alive, X-User-ID, X-Plan-Limits, x-identity-signature",
        "X-Request-ID": "mine",
    }

    url = URL(f"{gateway.url}/api//v1/./me?a=%2F&api_key=", encoded=True)
    async with ada.session.get(url, headers=ada.headers | spoofed) as response:
        assert response.status == 200
        request_id = response.headers["X-Request-ID"]

    sent = upstream.seen[-1]
    headers = {name.lower(): value for name, value in sent["headers"]}
    identity = Identity(
        user_id=ada.user["id"],
        org_id=ada.user["org_id"],
        plan_id="free",
        plan_limits=headers["x-plan-limits"],
        key_id=headers["x-key-id"],
    )
    assert sent["target"] == "/api/v1/me?a=%2F"
    assert (headers["x-user-id"], headers["x-request-id"]) == (ada.user["id"], request_id)
    signed = SignedRequest("GET", sent["target"], request_id)
    verify(IDENTITY_SECRET.encode(), headers["x-identity-signature"], identity, signed, time.time())  # noqa: TID251 - the real clock
    assert headers["x-client-request-id"] == "mine"
    assert "authorization" not in headers
    assert "victim" not in str(sent["headers"])


async def test_what_changes_nothing_costs_nothing(
    start_gateway: StartGateway, sign_up: SignUp, redis_url: str
) -> None:
    gateway = await start_gateway(redis_url, quota=1)
    ada = await sign_up(gateway)

    statuses = [(await ada.create(do))[0] for do in ("fail", "repeat", "fail", "perform", "perform")]

    assert statuses == [422, 200, 422, 202, 402]
    assert (await ada.get("/mod/usage"))["quota"]["used"] == 1
    assert sorted(event["cost"] for event in (await ada.get("/mod/usage/events"))["items"]) == [0, 0, 0, 1]


@pytest.mark.slow
async def test_the_1001st_call_of_a_plan_of_1000_is_refused(
    start_gateway: StartGateway, sign_up: SignUp, upstream: Upstream, redis_url: str
) -> None:
    gateway = await start_gateway(redis_url, rate=600_000, burst=5000)
    ada = await sign_up(gateway)
    answers: Counter[int] = Counter()

    async def call(times: int) -> None:
        for _ in range(times):
            answers[(await ada.create())[0]] += 1

    await asyncio.gather(*(call(135) for _ in range(8)))

    assert answers == {202: 1000, 402: 80}
    assert len(upstream.performed) == 1000
    status, headers, body = await ada.create()
    assert (status, body["code"]) == (402, "quota_exceeded")
    assert (headers["X-Quota-Used"], headers["X-Quota-Remaining"]) == ("1000", "0")
    assert int(headers["Retry-After"]) > 0
    usage = await ada.get("/mod/usage")
    assert usage["totals"] == [{"event_type": "deployment.created", "count": 1000, "cost": 1000.0}]
    assert usage["quota"]["used"] == 1000


async def test_a_burst_beyond_the_plan_is_429_and_other_routes_go_on(
    start_gateway: StartGateway, sign_up: SignUp, redis_url: str
) -> None:
    # One a minute, so that no place becomes free while the test is at work.
    gateway = await start_gateway(redis_url, rate=1, burst=3)
    ada, answers = await _whom_redis_answered_in_time(gateway, sign_up)

    assert [status for status, _, _ in answers] == [202, 202, 202, 429]
    assert answers[3][2]["code"] == "rate_limit_exceeded"
    assert 0 < int(answers[3][1]["Retry-After"]) <= 60
    for _ in range(10):
        await ada.get("/api/v1/deployments/1/monitoring/stats")
    assert (await ada.get("/mod/usage"))["quota"]["used"] == 3


async def test_a_client_that_hangs_up_pays_for_what_was_done(
    start_gateway: StartGateway, sign_up: SignUp, upstream: Upstream, redis_url: str
) -> None:
    gateway = await start_gateway(redis_url)
    ada = await sign_up(gateway)

    order = asyncio.ensure_future(ada.create("perform-then-hold"))
    await upstream.performed_one.wait()
    order.cancel()

    await _until_events(ada, 1)
    (event,) = (await ada.get("/mod/usage/events"))["items"]
    assert (event["id"], event["event_type"], event["cost"]) == (
        *upstream.performed,
        "deployment.created",
        1.0,
    )
    assert (await ada.get("/mod/usage"))["quota"]["used"] == 1


async def test_a_frozen_redis_refuses_billed_requests_quickly_and_no_others(
    start_gateway: StartGateway, sign_up: SignUp, own_redis: OwnRedis
) -> None:
    redis_url, redis = own_redis
    gateway = await start_gateway(redis_url)
    ada = await sign_up(gateway)
    assert (await ada.create())[0] == 202

    redis.send_signal(signal.SIGSTOP)
    answers, took = [], []
    for _ in range(7):
        began = time.monotonic()
        answers.append(await ada.create_once())
        took.append(time.monotonic() - began)
    await ada.get("/api/v1/me")
    assert (await ada.get("/health"))["counters"] == "unavailable"
    assert (await ada.get("/mod/usage"))["quota"]["used"] == 1
    assert (await ada.get("/mod/auth/me"))["quota"]["remaining"] == 999
    redis.send_signal(signal.SIGCONT)

    for status, headers, body in answers:
        assert (status, body["code"], headers["Retry-After"]) == (503, "counters_unavailable", "1")
    # Mostly: a busy machine may let any one of them wait.
    assert statistics.median(took) < 0.2
    await _until_status(ada, 202)
    await _until_used(ada, 2)


async def test_an_open_route_goes_on_without_redis_and_is_counted_after(
    start_gateway: StartGateway, sign_up: SignUp, own_redis: OwnRedis
) -> None:
    redis_url, redis = own_redis
    gateway = await start_gateway(redis_url, on_counters_failure="open")
    ada = await sign_up(gateway)
    assert (await ada.create())[0] == 202

    redis.send_signal(signal.SIGSTOP)
    answers = [(await ada.create(do))[0] for do in ("perform", "fail", "perform")]
    redis.send_signal(signal.SIGCONT)

    assert answers == [202, 422, 202]
    for used in count(3):
        await until(lambda: _is_settled(ada))
        await _until_used(ada, used)
        headers = (await ada.create())[1]
        if "X-Quota-Used" in headers:  # otherwise Redis was late again, and it is counted after
            break
    assert headers["X-Quota-Used"] == str(used + 1)


async def test_an_emptied_redis_is_filled_from_the_ledger(
    start_gateway: StartGateway, sign_up: SignUp, redis_url: str
) -> None:
    gateway = await start_gateway(redis_url, quota=4)
    ada = await sign_up(gateway)
    for _ in range(3):
        await ada.create()

    with Redis.from_url(redis_url) as client:
        client.flushall()

    assert (await ada.create())[1]["X-Quota-Used"] == "4"
    assert (await ada.create())[0] == 402


async def test_the_relays_own_refusals_are_problems_too(
    start_gateway: StartGateway, session: aiohttp.ClientSession
) -> None:
    gateway = await start_gateway()

    async with session.get(f"{gateway.url}/{'x' * 9000}") as response:
        assert (response.status, (await response.json())["code"]) == (414, "uri_too_long")
    async with session.post(f"{gateway.url}/mod/auth/login", data=b"x" * 70_000) as response:
        assert (response.status, (await response.json())["code"]) == (413, "body_too_large")
    async with session.get(f"{gateway.url}/api/x") as response:
        assert (response.status, response.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert response.headers["Content-Type"] == "application/problem+json"


async def _whom_redis_answered_in_time(
    gateway: GatewayProcess, sign_up: SignUp
) -> tuple[Visitor, list[tuple[int, dict[str, str], Any]]]:
    """Four orders at once, of a new user as long as one of them comes back unjudged: it may have taken a place in the rate for good."""
    for number in range(20):
        visitor = await sign_up(gateway, f"user{number}@example.org")
        answers = [await visitor.create_once() for _ in range(4)]
        if 503 not in {status for status, _, _ in answers}:
            return visitor, answers
    raise AssertionError("Redis was late twenty times")


async def _upstream_is(visitor: Visitor, state: str) -> bool:
    return bool((await visitor.get("/health"))["upstreams"] == {"hoster": state})


async def _is_settled(visitor: Visitor) -> bool:
    return not (await visitor.get("/stats"))["counters"]["unsettled"]


async def _until_events(visitor: Visitor, events: int) -> None:
    await until(lambda: _count_is(visitor, events))


async def _count_is(visitor: Visitor, events: int) -> bool:
    return len((await visitor.get("/mod/usage/events"))["items"]) == events


async def _until_used(visitor: Visitor, used: int) -> None:
    await until(lambda: _used_is(visitor, used))


async def _used_is(visitor: Visitor, used: int) -> bool:
    return ((await visitor.get("/mod/usage"))["quota"] or {}).get("used") == used


async def _until_status(visitor: Visitor, status: int) -> None:
    await until(lambda: _status_is(visitor, status))


async def _status_is(visitor: Visitor, status: int) -> bool:
    return (await visitor.create())[0] == status
