"""APIGate in front of the real Hoster: what is repeated is free, and who hangs up pays for what was done, and for nothing else."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from tests.bench.crash_audit import Audit, audit
from tests.bench.crashes import settled, ship, sign_up
from tests.bench.crashing_platform import Platform, crashing_platform

DEPLOYMENTS = "/api/v1/deployments"


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[Platform]:
    chance = random.Random(0)  # noqa: S311 - pauses are no secrets
    async with crashing_platform(tmp_path, "hoster", chance, response_timeout="30s") as running:
        await settled(running, 40)
        yield running


async def audited(platform: Platform, token: str) -> Audit:
    await ship(platform, token)
    await settled(platform, 20)
    await ship(platform, token)
    return await asyncio.to_thread(audit, platform, ())


async def test_an_idempotent_replay_costs_nothing(platform: Platform) -> None:
    token = await sign_up(platform.url, 1)
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "once"}
    answers = []
    async with aiohttp.ClientSession(headers=headers) as client:
        while len(answers) < 5:
            async with client.post(platform.url + DEPLOYMENTS, json=platform.books.body) as response:
                body = await response.read()
                if response.status == 503 and b"counters_unavailable" in body:
                    # Redis was late, as on a busy machine it may be, and nothing was done.
                    await asyncio.sleep(float(response.headers["Retry-After"]))
                    continue
                answers.append((response.status, body, response.headers.get("X-Event-Type")))
        async with client.get(f"{platform.url}/mod/usage") as response:
            usage = await response.json()

    assert {(status, body) for status, body, _ in answers} == {(202, answers[0][1])}
    assert [event for _, _, event in answers] == ["deployment.created", None, None, None, None]
    assert usage["quota"]["used"] == 1
    found = await audited(platform, token)
    assert (found.mismatches, found.operations, found.events) == (0, 1, 5)


async def test_who_hangs_up_pays_for_what_was_done_and_for_nothing_else(platform: Platform) -> None:
    token = await sign_up(platform.url, 1)
    for number in range(40):
        await _order_and_leave(platform, token, after_s=number * 0.0005)

    found = await audited(platform, token)

    assert found.mismatches == 0, found
    # Some left before Hoster had it, and most after.
    assert 0 < found.operations <= 40


async def _order_and_leave(platform: Platform, token: str, after_s: float) -> None:
    where = urlsplit(platform.url)
    body = json.dumps(platform.books.body).encode()
    head = (
        f"POST {DEPLOYMENTS} HTTP/1.1\r\nHost: {where.netloc}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    _, writer = await asyncio.open_connection(where.hostname, where.port)
    writer.write(head.encode() + body)
    await writer.drain()
    await asyncio.sleep(after_s)
    writer.transport.abort()
