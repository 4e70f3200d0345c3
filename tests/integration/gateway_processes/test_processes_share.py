"""Several relay processes are one gateway: one quota, one ledger, one logout, one table, one set of numbers."""

import asyncio
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest
from redis import Redis

from tests.integration.gateway_data.conftest import (
    GatewayProcess,
    SignUp,
    Upstream,
    Visitor,
    until,
)
from tests.integration.gateway_processes.conftest import StartProcesses, serving, until_all_serve


@pytest.fixture
async def clients() -> AsyncIterator[list[aiohttp.ClientSession]]:
    """Sixteen, each with its own connection."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)))
            for _ in range(16)
        ]


@pytest.mark.slow
async def test_of_2000_requests_over_four_processes_a_quota_of_1000_admits_1000(
    start_processes: StartProcesses,
    sign_up: SignUp,
    upstream: Upstream,
    redis_url: str,
    clients: list[aiohttp.ClientSession],
) -> None:
    gateway = await start_processes(workers=4, quota=1000)
    ada = await sign_up(gateway)
    await until_all_serve(ada, workers=4)
    answers: Counter[int] = Counter()

    async def call(client: aiohttp.ClientSession) -> None:
        for _ in range(125):
            answers[(await ada.create(client=client))[0]] += 1

    await asyncio.gather(*(call(client) for client in clients))

    assert answers == {202: 1000, 402: 1000}
    assert len(upstream.performed) == 1000
    usage = await ada.get("/mod/usage")
    assert usage["totals"] == [{"event_type": "deployment.created", "count": 1000, "cost": 1000.0}]
    assert usage["quota"]["used"] == 1000
    with Redis.from_url(redis_url) as client:
        (counter,) = client.keys("apigate:*:quota:*")
        assert client.get(counter) == b"1000"

    # A process with much to do is shown as it was a moment before.
    await until(lambda: _has_refused(ada, 1000))
    stats = await ada.get("/stats")
    assert stats["requests"]["billing"] == {"2xx": 1000}
    assert stats["refusals"]["quota_exceeded"] == 1000
    assert stats["latency"]["billing"]["count"] == 1000
    assert (stats["journal"]["written"], stats["journal"]["pending"]) == (1000, 0)
    metrics = (await _metrics(ada)).splitlines()
    assert 'apigate_requests_total{route="billing",status_class="2xx"} 1000.0' in metrics
    assert 'apigate_refusals_total{code="quota_exceeded"} 1000.0' in metrics
    assert 'apigate_request_duration_seconds_count{lane="billing"} 1000.0' in metrics
    shares = [relay["connections"] for relay in await serving(ada)]
    assert sum(share > 0 for share in shares) > 1, shares


async def test_a_logout_is_seen_by_every_process_within_a_second(
    start_processes: StartProcesses, sign_up: SignUp, clients: list[aiohttp.ClientSession]
) -> None:
    gateway = await start_processes()
    ada = await sign_up(gateway)
    await until_all_serve(ada)

    async def statuses() -> list[int]:
        return await asyncio.gather(*(_status(client, gateway, ada) for client in clients))

    assert set(await statuses()) == {200}
    async with ada.session.post(f"{gateway.url}/mod/auth/logout", headers=ada.headers) as response:
        assert response.status == 204
    ended = asked = time.monotonic()
    while set(found := await statuses()) != {401}:
        assert asked - ended < 1, found
        asked = time.monotonic()


async def test_what_is_given_back_in_one_process_is_free_in_all(
    start_processes: StartProcesses, sign_up: SignUp, clients: list[aiohttp.ClientSession]
) -> None:
    gateway = await start_processes(quota=1)
    ada = await sign_up(gateway)
    await until_all_serve(ada)
    wanted = ("fail", "repeat", "fail", "perform", "perform")

    statuses = [(await ada.create(do, client))[0] for client, do in zip(clients, wanted, strict=False)]

    assert statuses == [422, 200, 422, 202, 402]
    await until(lambda: _has_used(ada, 1))
    assert sorted(event["cost"] for event in (await ada.get("/mod/usage/events"))["items"]) == [0, 0, 0, 1]


async def test_an_emptied_redis_is_filled_from_all_journals(
    start_processes: StartProcesses,
    sign_up: SignUp,
    upstream: Upstream,
    redis_url: str,
    clients: list[aiohttp.ClientSession],
) -> None:
    gateway = await start_processes(quota=10, response_timeout="60s")
    ada = await sign_up(gateway)

    async def create(client: aiohttp.ClientSession, do: str) -> int:
        return (await ada.create(do, client))[0]

    assert [await create(client, "perform") for client in clients[:4]] == [202] * 4
    held = [asyncio.ensure_future(create(client, "hold")) for client in clients[4:8]]
    await until(
        lambda: len(upstream.seen) >= 8 and sum("do=hold" in one["target"] for one in upstream.seen) == 4
    )
    with Redis.from_url(redis_url) as client:
        client.flushall()

    assert [await create(client, "perform") for client in clients[8:12]] == [202, 202, 402, 402]
    upstream.hold.set()
    assert await asyncio.gather(*held) == [202] * 4
    await until(lambda: _has_used(ada, 10))


async def test_a_redis_that_is_emptied_under_load_admits_no_request_too_many(
    start_processes: StartProcesses,
    sign_up: SignUp,
    upstream: Upstream,
    redis_url: str,
    clients: list[aiohttp.ClientSession],
) -> None:
    gateway = await start_processes(quota=400)
    ada = await sign_up(gateway)
    await until_all_serve(ada)
    answers: Counter[int] = Counter()

    async def call(client: aiohttp.ClientSession) -> None:
        # Not to the first refusal: a unit that was taken when Redis was late, and not used, is free a moment later.
        while len(upstream.performed) < 400:
            answers[(await ada.create(client=client))[0]] += 1
        assert (await ada.create(client=client))[0] == 402

    async def empty_now_and_then() -> None:
        with Redis.from_url(redis_url) as client:
            for count in (50, 150, 250, 350):
                await until(lambda count=count: answers[202] >= count)
                client.flushall()

    await asyncio.gather(empty_now_and_then(), *(call(client) for client in clients))

    assert answers[202] == len(upstream.performed) == 400
    await until(lambda: _has_used(ada, 400))


async def test_new_routes_are_in_force_everywhere_and_invalid_ones_nowhere(
    start_processes: StartProcesses, sign_up: SignUp, clients: list[aiohttp.ClientSession]
) -> None:
    gateway = await start_processes()
    ada = await sign_up(gateway)
    await until_all_serve(ada)
    good = gateway.routes.read_text()

    async def statuses(path: str) -> set[int]:
        found = await asyncio.gather(*(_public_status(client, gateway, path) for client in clients))
        return set(found)

    async def answers(path: str, wanted: int) -> bool:
        return await statuses(path) == {wanted}

    gateway.routes.write_text(good.replace('path: "/*"', 'path: "/other/*"'))
    gateway.process.send_signal(signal.SIGHUP)
    await until(lambda: answers("/open/x", 404))

    gateway.routes.write_text(good.replace("priority: 50", "priority: high"))
    gateway.process.send_signal(signal.SIGHUP)
    await until(lambda: "route_file_invalid" in gateway.log())
    # Also the one that is started while the file is invalid has the routes that are in force.
    before = {relay["number"] for relay in await serving(ada)}
    for pid in [relay["pid"] for relay in await serving(ada)]:
        _terminate(pid)
    await until(lambda: _are_others(ada, before))
    assert await statuses("/other/x") == {200}
    assert await statuses("/open/x") == {404}


async def test_an_administrator_reloads_the_routes_of_all_processes(
    start_processes: StartProcesses, sign_up: SignUp, clients: list[aiohttp.ClientSession]
) -> None:
    gateway = await start_processes()
    ada = await sign_up(gateway)
    await until_all_serve(ada)
    assert await _reload(ada) == (404, "not_found")
    promoted = await asyncio.create_subprocess_exec(
        *("python3", "-m", "gateway", "users", "promote", ada.user["email"]),
        env=gateway.environment | {"PATH": _python_path()},
    )
    assert await promoted.wait() == 0
    await until(lambda: _is_admin(ada))

    good = gateway.routes.read_text()
    gateway.routes.write_text(good.replace("name: front", "name: renamed").replace('"/*"', '"/other/*"'))
    status, names = await _reload(ada)
    assert (status, names) == (200, ["billing", "api", "renamed"])
    found = await asyncio.gather(*(_public_status(client, gateway, "/open/x") for client in clients))
    assert set(found) == {404}

    gateway.routes.write_text(good.replace("priority: 50", "priority: high"))
    assert await _reload(ada) == (422, "validation_failed")
    assert [route["name"] for route in (await ada.get("/mod/admin/routes"))["items"]][2] == "renamed"


def _terminate(pid: int) -> None:
    os.kill(pid, signal.SIGTERM)


def _python_path() -> str:
    return f"{Path(sys.executable).parent}:{os.environ['PATH']}"


async def _are_others(visitor: Visitor, before: set[int]) -> bool:
    now = {relay["number"] for relay in await serving(visitor)}
    return len(now) == len(before) and not now & before


async def _reload(visitor: Visitor) -> tuple[int, object]:
    async with visitor.session.post(
        f"{visitor.url}/mod/admin/routes/reload", headers=visitor.headers
    ) as response:
        body = await response.json()
        if response.status != 200:
            return response.status, body["code"]
        return response.status, [route["name"] for route in body["items"]]


async def _is_admin(visitor: Visitor) -> bool:
    async with visitor.session.get(f"{visitor.url}/mod/admin/routes", headers=visitor.headers) as response:
        return response.status == 200


async def _has_used(visitor: Visitor, count: int) -> bool:
    return (await visitor.get("/mod/usage"))["quota"]["used"] == count


async def _status(client: aiohttp.ClientSession, gateway: GatewayProcess, visitor: Visitor) -> int:
    async with client.get(f"{gateway.url}/api/v1/me", headers=visitor.headers) as response:
        return response.status


async def _has_refused(visitor: Visitor, count: int) -> bool:
    stats = await visitor.get("/stats")
    seen = (stats["refusals"].get("quota_exceeded"), stats["requests"].get("billing"))
    return seen == (count, {"2xx": count})


async def _public_status(client: aiohttp.ClientSession, gateway: GatewayProcess, path: str) -> int:
    async with client.get(f"{gateway.url}{path}") as response:
        return response.status


async def _metrics(visitor: Visitor) -> str:
    async with visitor.session.get(f"{visitor.url}/metrics") as response:
        assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        return await response.text()
