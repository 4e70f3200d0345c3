"""Numbers of this machine, read off the loop."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from shared.clock import Clock
from worker.errors import EngineUnavailable
from worker.stats.host_numbers import HostReading, read_cpu, read_load, read_memory, report_between
from worker.stats.sampler import Report, Sampler
from worker.streams.engine import ContainerSource
from worker.streams.replay import RingReading
from worker.streams.tasks import TaskSet

PROC = Path("/proc")
COUNT_DEADLINE_S = 2.0
"""An engine that hangs must not take the machine's own numbers along."""


class HostStats:
    """`folder` is on the file system whose space is shown; `count_projects` is asked at each reading."""

    def __init__(
        self,
        folder: Path,
        source: ContainerSource,
        count_projects: Callable[[], Awaitable[int]],
        version: str,
        clock: Clock,
    ) -> None:
        self._folder = folder
        self._source = source
        self._count_projects = count_projects
        self._tasks = TaskSet()
        self._log = structlog.get_logger("stats")
        self._sampler: Sampler[HostReading] = Sampler(
            "host", self.read, lambda before, now: report_between(before, now, version), self._tasks, clock
        )

    async def report(self) -> Report:
        return await self._sampler.report_now()

    def follow(self, last_event_id: str | None) -> RingReading[Report]:
        return self._sampler.follow(last_event_id)

    async def read(self) -> HostReading:
        """One reading."""
        projects, containers = await asyncio.gather(self._count_projects(), self._count_containers())
        return await asyncio.to_thread(read_host, self._folder, projects, containers)

    async def close(self) -> None:
        await self._tasks.close()

    async def _count_containers(self) -> int | None:
        try:
            async with asyncio.timeout(COUNT_DEADLINE_S):
                return await self._source.count_running()
        except (EngineUnavailable, TimeoutError) as error:
            # The machine's own numbers are wanted most when the engine is in trouble.
            self._log.warning("containers_not_counted", reason=str(error) or "no answer in time")
            return None


def read_host(folder: Path, projects: int, containers: int | None) -> HostReading:
    """Blocking."""
    memory_total, memory_available = read_memory((PROC / "meminfo").read_text("ascii"))
    disk = os.statvfs(folder)
    return HostReading(
        cpu=read_cpu((PROC / "stat").read_text("ascii")),
        memory_total=memory_total,
        memory_available=memory_available,
        disk_total=disk.f_blocks * disk.f_frsize,
        disk_used=(disk.f_blocks - disk.f_bfree) * disk.f_frsize,
        disk_free=disk.f_bavail * disk.f_frsize,
        load=read_load((PROC / "loadavg").read_text("ascii")),
        uptime=float((PROC / "uptime").read_text("ascii").split()[0]),
        projects=projects,
        containers=containers,
    )
