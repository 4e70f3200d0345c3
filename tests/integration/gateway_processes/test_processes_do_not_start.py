"""Relay processes that cannot start: the gateway lives while any can serve, and ends, saying so, when none can."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest

from tests.integration.gateway_data.conftest import (
    REPOSITORY,
    GatewayProcess,
    SignUp,
    Upstream,
    until,
)
from tests.integration.gateway_processes.conftest import children, until_all_serve


@pytest.fixture
async def gateway(
    tmp_path: Path, upstream: Upstream, free_port: Callable[[], int], redis_url: str
) -> AsyncIterator[GatewayProcess]:
    made = GatewayProcess(tmp_path, free_port(), redis_url)
    made.environment["GATEWAY_WORKERS"] = "2"
    made.write_routes(upstream.url)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.kill()
        await asyncio.to_thread(made.process.wait, 10)


def forbid(gateway: GatewayProcess, numbers: range) -> None:
    """A relay process whose journal cannot be made does not start."""
    folder = gateway.folder / "data/journal"
    folder.mkdir(parents=True)
    for number in numbers:
        (folder / f"relay-{number}").touch()


async def test_a_gateway_of_which_no_relay_process_starts_gives_up_and_says_so(
    gateway: GatewayProcess,
) -> None:
    forbid(gateway, range(1, 100))
    log = (gateway.folder / "gateway.log").open("wb")
    began = time.monotonic()
    gateway.process = await asyncio.to_thread(
        subprocess.Popen,
        [sys.executable, "-m", "gateway"],
        cwd=REPOSITORY,
        env=gateway.environment,
        stderr=log,
    )
    log.close()

    assert await asyncio.to_thread(gateway.process.wait, 50) == 1
    assert "relay_processes_do_not_start" in gateway.log()
    # Five in a row are tried, a few at once; not as many as the machine can start.
    assert gateway.log().count("cannot start") <= 10
    assert time.monotonic() - began > 0.3
    with pytest.raises(aiohttp.ClientConnectorError):
        async with aiohttp.ClientSession() as client:
            await client.get(f"{gateway.url}/health")


async def test_relay_processes_that_fail_at_first_are_tried_again_until_enough_serve(
    gateway: GatewayProcess, sign_up: SignUp
) -> None:
    forbid(gateway, range(1, 4))
    await gateway.start()
    ada = await sign_up(gateway)
    await until_all_serve(ada, 2)

    assert (await ada.create())[0] == 202
    assert (await ada.get("/stats"))["processes"]["replaced"] == 3
    left = children(gateway)
    assert await asyncio.to_thread(gateway.end) == 0
    await until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in left))
