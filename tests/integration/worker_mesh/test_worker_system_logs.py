"""The agent's own log, written through structlog and read over HTTP."""

import asyncio
import logging
from collections.abc import Iterator

import aiohttp
import pytest
import structlog

from shared.clock import SystemClock
from shared.log import configure_logging
from tests.integration.worker_mesh.event_reader import EventReader
from tests.integration.worker_mesh.stream_server import serving
from worker.logs.system import SystemLogs, add_system_log_routes


@pytest.fixture
def logs() -> Iterator[SystemLogs]:
    kept = SystemLogs(SystemClock())
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    configure_logging("worker", "info", "json", kept)
    yield kept
    structlog.reset_defaults()
    root.handlers, root.level = handlers, level


async def test_the_last_events_are_shown_without_secrets(
    logs: SystemLogs, http: aiohttp.ClientSession
) -> None:
    log = structlog.get_logger("test")
    for number in range(1200):
        log.info("step", number=number, api_token="very-secret", where=object())
    async with serving(lambda app, streams: add_system_log_routes(app, logs, streams)) as url:
        async with http.get(f"{url}/system/logs?limit=5000") as response:
            everything = await response.json()
        async with http.get(f"{url}/system/logs?limit=2") as response:
            last = (await response.json())["logs"]
        async with http.get(f"{url}/system/logs?limit=x") as response:
            assert response.status == 422

    assert len(everything["logs"]) == 1000
    assert [entry["number"] for entry in last] == [1198, 1199]
    assert (last[0]["level"], last[0]["event"]) == ("info", "step")
    assert last[0]["timestamp"].endswith("Z")
    assert "very-secret" not in str(everything)


async def test_a_reader_that_comes_back_gets_what_it_missed_from_all_threads(
    logs: SystemLogs, http: aiohttp.ClientSession
) -> None:
    log = structlog.get_logger("test")
    log.info("one")
    async with serving(lambda app, streams: add_system_log_routes(app, logs, streams)) as url:
        address = f"{url}/system/logs/stream"
        async with http.get(address) as response:
            one = (await EventReader(response).take(1))[0]
        log.info("two")
        await asyncio.to_thread(log.info, "three")
        async with http.get(address, params={"last_event_id": str(one.event_id)}) as response:
            later = await EventReader(response).take(2)
        async with http.get(address, headers={"Last-Event-ID": "1-1"}) as response:
            gap = (await EventReader(response).take(1))[0]

    assert [event.payload["event"] for event in (one, *later)] == ["one", "two", "three"]
    assert (gap.name, gap.payload["reason"]) == ("gap", "unknown_event_id")
