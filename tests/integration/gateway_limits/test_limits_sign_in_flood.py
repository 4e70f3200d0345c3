"""A flood of sign-ins, each of which costs 40 ms of a core and 19 MiB: bounded, and nobody else waits for it."""

import asyncio
import statistics
import time
from collections import Counter
from pathlib import Path

import aiohttp
import pytest

from tests.integration.gateway_limits.stage import Stage, bearer, running_stage

ROUTES = """
version: 1
default_plan: free
plans:
  free: {requests_per_month: 100, rate_per_minute: 60, burst: 5,
         limits: {max_deployments: 1, max_cpu_cores: 1, max_memory_mb: 1, max_disk_mb: 1}}
upstreams: {app: {targets: ["http://127.0.0.1:1"]}}
routes:
  - {name: open, path: "/*", auth_required: false, upstream: app}
"""
CROWD = 300
_ACCOUNTS = 120
"""The others all try the last of these."""


@pytest.mark.slow
async def test_a_flood_of_sign_ins_costs_bounded_memory_and_stalls_nobody(tmp_path: Path) -> None:
    with running_stage(tmp_path / "flood", ROUTES) as stage:
        token = stage.sign_up("ann")
        before = resident_mib(stage)
        answers, waits, most = await flood(stage, token)

    assert set(answers) <= {401, 429, 503}, answers
    assert answers[401] > 0
    assert answers[429] + answers[503] > 0
    assert statistics.median(waits) < 1.0
    assert most - before < 150


async def flood(stage: Stage, token: str) -> tuple[Counter[int], list[float], float]:
    """What was answered, how long somebody else waited meanwhile, and the most memory that was seen."""
    url = f"http://127.0.0.1:{stage.port}/mod/auth"
    name, _, value = bearer(token).partition(": ")
    waits: list[float] = []
    most = 0.0
    unlimited = aiohttp.TCPConnector(limit=0)
    async with (
        aiohttp.ClientSession(connector=unlimited) as strangers,
        aiohttp.ClientSession(headers={name: value}) as ann,
        asyncio.TaskGroup() as group,
    ):

        async def guess(number: int) -> int:
            body = {"email": f"guess{min(number, _ACCOUNTS)}@example.org", "password": "a wrong one"}
            async with strangers.post(f"{url}/login", json=body) as answer:
                is_told_when = int(answer.headers.get("Retry-After", 0)) >= 1
                assert is_told_when or answer.status == 401, await answer.text()
                return answer.status

        guesses = [group.create_task(guess(number)) for number in range(CROWD)]
        while not all(one.done() for one in guesses):
            began = time.perf_counter()
            async with ann.get(f"{url}/me") as answer:
                assert answer.status == 200
            waits.append(time.perf_counter() - began)
            most = max(most, resident_mib(stage))
            await asyncio.sleep(0.02)
    return Counter(one.result() for one in guesses), waits, most


def resident_mib(stage: Stage) -> float:
    return int(Path(f"/proc/{stage.process.pid}/statm").read_text().split()[1]) * 4096 / 1024 / 1024
