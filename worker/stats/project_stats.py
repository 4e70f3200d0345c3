"""Numbers of one project: its containers, their sum, and what the mesh carried to it."""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict

from shared.clock import Clock, rfc3339
from worker.errors import ContainerGone
from worker.mesh.traffic import Traffic
from worker.stats.container_numbers import Counters, numbers_between, read_counters, total_of
from worker.stats.sampler import Report, Sampler
from worker.streams.engine import ContainerSource, ServiceContainer
from worker.streams.replay import RingReading
from worker.streams.tasks import TaskSet

Readings = Mapping[ServiceContainer, Counters]


class ProjectStats:
    """One sampler for each project that was asked about; `end` when a project is deleted."""

    def __init__(self, source: ContainerSource, traffic: Traffic, clock: Clock) -> None:
        self._source = source
        self._traffic = traffic
        self._clock = clock
        self._tasks = TaskSet()
        self._samplers: dict[str, Sampler[Readings]] = {}

    async def report(self, project_id: str) -> Report:
        """Raises EngineUnavailable."""
        return await self._sampler(project_id).report_now()

    def follow(self, project_id: str, last_event_id: str | None) -> RingReading[Report]:
        return self._sampler(project_id).follow(last_event_id)

    def end(self, project_id: str) -> None:
        if (sampler := self._samplers.pop(project_id, None)) is not None:
            sampler.end()

    async def close(self) -> None:
        await self._tasks.close()

    def _sampler(self, project_id: str) -> Sampler[Readings]:
        if project_id not in self._samplers:
            self._samplers[project_id] = Sampler(
                project_id,
                lambda: self._read(project_id),
                lambda before, now: self._report(project_id, before, now),
                self._tasks,
                self._clock,
            )
        return self._samplers[project_id]

    async def _read(self, project_id: str) -> Readings:
        running = [one for one in await self._source.containers(project_id) if one.running]
        counters = await asyncio.gather(*(self._counters(container) for container in running))
        return {
            container: seen for container, seen in zip(running, counters, strict=True) if seen is not None
        }

    async def _counters(self, container: ServiceContainer) -> Counters | None:
        try:
            return read_counters(await self._source.stats(container.container_id))
        except ContainerGone:
            # Removed since it was listed.
            return None

    def _report(self, project_id: str, before: Readings, now: Readings) -> Report:
        containers = [
            numbers_between(container.service, before.get(container), seen) for container, seen in now.items()
        ]
        return {
            "containers": [asdict(container) for container in containers],
            "total": total_of(containers),
            "requests": self._traffic.numbers(project_id).as_json(),
            "collected_at": rfc3339(self._clock.now()),
        }
