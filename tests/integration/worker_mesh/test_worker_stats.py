"""Numbers of real containers and of this machine, held against what the kernel says."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from shared.clock import SystemClock
from tests.integration.worker_mesh.containers import Containers
from tests.integration.worker_mesh.event_reader import EventReader
from tests.integration.worker_mesh.eventually import eventually
from tests.integration.worker_mesh.stream_server import NoSuchProject, serving
from worker.mesh.traffic import Traffic
from worker.stats.host_stats import HostStats
from worker.stats.project_stats import ProjectStats
from worker.stats.routes import add_host_stats_routes, add_project_stats_routes
from worker.streams.engine import ContainerSource, DockerSource, LogQuery, ServiceContainer
from worker.streams.log_frames import LogRecord
from worker.streams.sse import OpenStreams

pytestmark = pytest.mark.engine

PROJECT = "shop"
BUSY = "while true; do :; done"


class CountingSource:
    """The real engine, with a count of the readings taken."""

    def __init__(self, source: ContainerSource) -> None:
        self._source = source
        self.readings = 0

    async def containers(self, project_id: str) -> list[ServiceContainer]:
        return await self._source.containers(project_id)

    async def count_running(self) -> int:
        return await self._source.count_running()

    async def stats(self, container_id: str) -> Mapping[str, Any]:
        self.readings += 1
        return await self._source.stats(container_id)

    def changes(self) -> AsyncGenerator[str | None, None]:
        return self._source.changes()

    def log(self, container_id: str, query: LogQuery) -> AsyncGenerator[list[LogRecord], None]:
        return self._source.log(container_id, query)


@asynccontextmanager
async def project_stats(source: ContainerSource, traffic: Traffic) -> AsyncIterator[tuple[str, ProjectStats]]:
    stats = ProjectStats(source, traffic, SystemClock())

    async def require(project_id: str) -> None:
        if project_id != PROJECT:
            raise NoSuchProject

    def routes(app: web.Application, streams: OpenStreams) -> None:
        add_project_stats_routes(app, stats, streams, require)

    try:
        async with serving(routes) as url:
            yield url, stats
    finally:
        await stats.close()


async def get(http: aiohttp.ClientSession, url: str) -> dict[str, Any]:
    async with http.get(url) as response:
        assert response.status == 200, await response.text()
        answer: dict[str, Any] = await response.json()
        return answer


async def test_a_busy_container_shows_as_busy_and_an_idle_one_as_idle(
    containers: Containers, source: DockerSource, http: aiohttp.ClientSession
) -> None:
    containers.run(PROJECT, BUSY, "--cpus", "0.3", "--memory", "64m")
    containers.run(PROJECT, "sleep 60", "--memory", "32m", service="db")
    containers.run("other", "sleep 60")
    traffic = Traffic()
    traffic.forwarded(PROJECT, 200, 10, 20, 3.0)
    async with project_stats(source, traffic) as (url, _stats):
        answer = await get(http, f"{url}/projects/{PROJECT}/stats")
        async with http.get(f"{url}/projects/nobody/stats/stream") as response:
            assert response.status == 404
    by_name = {container["name"]: container for container in answer["containers"]}

    assert set(by_name) == {"web", "db"}
    assert 10 < by_name["web"]["cpu_percent"] < 60
    assert by_name["db"]["cpu_percent"] < 5
    assert by_name["web"]["memory_limit_bytes"] == 64 * 2**20
    assert 0 < by_name["web"]["memory_usage_bytes"] < 16 * 2**20
    assert by_name["db"]["pids"] == 1
    assert answer["total"]["memory_limit_bytes"] == 96 * 2**20
    assert answer["total"]["cpu_percent"] == pytest.approx(
        by_name["web"]["cpu_percent"] + by_name["db"]["cpu_percent"], abs=0.02
    )
    assert answer["requests"]["total"] == 1
    assert answer["collected_at"].endswith("Z")


async def test_page_cache_is_not_used_memory(
    containers: Containers, source: DockerSource, http: aiohttp.ClientSession
) -> None:
    name = containers.run(PROJECT, "sleep 60")
    containers.execute(name, "dd if=/dev/zero of=/file bs=1M count=40 conv=fsync 2>/dev/null")
    raw = (await source.stats(name))["memory_stats"]["usage"]
    async with project_stats(source, Traffic()) as (url, _stats):
        used = (await get(http, f"{url}/projects/{PROJECT}/stats"))["containers"][0]["memory_usage_bytes"]

    assert raw > 30 * 2**20
    assert 0 < used < 10 * 2**20


async def test_ten_listeners_share_one_sampler_that_ends_with_the_last(
    containers: Containers, source: DockerSource, http: aiohttp.ClientSession
) -> None:
    containers.run(PROJECT, BUSY, "--cpus", "0.2")
    counting = CountingSource(source)
    async with project_stats(counting, Traffic()) as (url, _stats):
        address = f"{url}/projects/{PROJECT}/stats/stream"
        async with AsyncExitStack() as stack:
            begun = asyncio.get_running_loop().time()
            responses = [await stack.enter_async_context(http.get(address)) for _ in range(10)]
            readers = [EventReader(response) for response in responses]
            first, second = zip(*await asyncio.gather(*(reader.take(2) for reader in readers)), strict=True)

            told = {event.event_id: event for event in (*first, *second)}
            assert all(event == told[event.event_id] for event in (*first, *second))
            assert {event.name for event in first} == {"stats"}
            assert first[0].payload["collected_at"] != second[0].payload["collected_at"]
            # One for the difference, one for each report, and there is a report every two seconds.
            assert counting.readings <= 4 + (asyncio.get_running_loop().time() - begun) / 2
        async with http.get(address, headers={"Last-Event-ID": str(first[0].event_id)}) as response:
            again = (await EventReader(response).take(1))[0]

            assert again == second[0]

        async def nobody_reads() -> bool:
            ended_at = counting.readings
            await asyncio.sleep(2.5)
            return counting.readings == ended_at

        await eventually(nobody_reads)


async def test_the_stream_of_a_deleted_project_ends(
    containers: Containers, source: DockerSource, http: aiohttp.ClientSession
) -> None:
    containers.run(PROJECT, "sleep 60")
    async with (
        project_stats(source, Traffic()) as (url, stats),
        http.get(f"{url}/projects/{PROJECT}/stats/stream") as response,
    ):
        reader = EventReader(response)
        await reader.take(1)
        stats.end(PROJECT)

        assert (await reader.take(1))[0].name == "end"
        assert await reader.next() is None


async def test_the_machine_is_shown_as_the_kernel_has_it(
    containers: Containers, source: DockerSource, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    containers.run(PROJECT, BUSY)
    containers.run(PROJECT, "sleep 60")

    async def projects() -> int:
        return 7

    stats = HostStats(tmp_path, source, projects, "1.2.3", SystemClock())
    async with serving(lambda app, streams: add_host_stats_routes(app, stats, streams)) as url:

        async def seen() -> tuple[Machine, dict[str, Any], Machine] | None:
            """Again when the engine did not count its containers in the two seconds that it has."""
            before = await asyncio.to_thread(seen_otherwise, tmp_path)
            answer = await get(http, f"{url}/stats")
            after = await asyncio.to_thread(seen_otherwise, tmp_path)
            return None if answer["containers"] is None else (before, answer, after)

        before, answer, after = await eventually(seen)
        async with http.get(f"{url}/stats/stream") as response:
            event = (await EventReader(response).take(1))[0]
    await stats.close()

    assert set(answer) == {
        *(
            "cpu_usage",
            "cpu_cores",
            "memory_used",
            "memory_total",
            "memory_percent",
            "disk_used",
            "disk_total",
        ),
        *("disk_percent", "load", "projects", "containers", "uptime", "version"),
    }
    assert answer["cpu_cores"] == os.cpu_count()
    # One core is kept busy by the container.
    assert 60 / (os.cpu_count() or 1) < answer["cpu_usage"] <= 100
    assert answer["memory_total"] == before.memory_total
    assert is_between(answer["memory_used"], before.memory_used, after.memory_used, 0.2)
    assert answer["disk_total"] == before.disk_total
    assert is_between(answer["disk_used"], before.disk_used, after.disk_used, 0.05)
    assert 0 < answer["memory_percent"] < 100
    assert all(
        min(was, now) - 2 <= shown <= max(was, now) + 2
        for shown, was, now in zip(answer["load"], before.load, after.load, strict=True)
    )
    assert (answer["projects"], answer["containers"], answer["version"]) == (7, 2, "1.2.3")
    assert before.uptime - 1 <= answer["uptime"] <= after.uptime + 1
    assert event.name == "stats"
    assert set(event.payload) == set(answer)


async def test_the_machine_is_shown_without_an_engine_too(tmp_path: Path) -> None:
    async def projects() -> int:
        return 0

    source = DockerSource("unix:///nowhere/docker.sock", "none")
    stats = HostStats(tmp_path, source, projects, "1", SystemClock())
    report = await stats.report()
    await source.close()

    assert report["containers"] is None
    assert isinstance(report["memory_used"], int)


@dataclass(frozen=True, slots=True)
class Machine:
    """The numbers of this machine by other means."""

    memory_total: int
    memory_used: int
    disk_total: int
    disk_used: int
    load: tuple[float, float, float]
    uptime: float


def seen_otherwise(folder: Path) -> Machine:
    total, available = memory_by_free()
    disk = shutil.disk_usage(folder)
    uptime = float(Path("/proc/uptime").read_text().split()[0])
    return Machine(total, total - available, disk.total, disk.used, os.getloadavg(), uptime)


def is_between(shown: float, before: float, after: float, tolerance: float) -> bool:
    """Others are at work on the machine meanwhile."""
    return min(before, after) * (1 - tolerance) <= shown <= max(before, after) * (1 + tolerance)


def memory_by_free() -> tuple[int, int]:
    """Total and available bytes, as procps counts them."""
    lines = subprocess.run(["free", "-b"], capture_output=True, text=True, check=True).stdout.splitlines()
    columns = dict(zip(lines[0].split(), lines[1].split()[1:], strict=True))
    return int(columns["total"]), int(columns["available"])
