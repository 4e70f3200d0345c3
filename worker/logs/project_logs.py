"""What the routes may ask of the logs of projects."""

import asyncio
from collections.abc import Iterable

import structlog

from worker.errors import ContainerGone, EngineUnavailable
from worker.logs.cursor import Cursor, read_event_id
from worker.logs.hub import ProjectHub
from worker.logs.line import LogLine
from worker.logs.query import LogsWanted
from worker.logs.reading import LogReading
from worker.logs.recent import Stretch, newest, read_stretch
from worker.streams.engine import ContainerSource, ServiceContainer
from worker.streams.event_id import gap
from worker.streams.tasks import TaskSet

RETRY_S = 1.0


class ProjectLogs:
    """`run` is a background job; `close` ends what readers left behind."""

    def __init__(self, source: ContainerSource) -> None:
        self._source = source
        self._tasks = TaskSet()
        self._hubs: dict[str, ProjectHub] = {}
        self._log = structlog.get_logger("logs")

    async def recent(self, project_id: str, wanted: LogsWanted) -> list[tuple[str, LogLine]]:
        """The last lines with their ids, oldest first. Raises EngineUnavailable."""
        containers = await self._source.containers(project_id)
        chosen = [one for one in containers if wanted.service in {None, one.service}]
        stretches = await asyncio.gather(*(self._stretch(container, wanted) for container in chosen))
        lines, marks = newest((stretch for stretch in stretches if stretch is not None), wanted.tail)
        cursor = Cursor(marks)
        return [(cursor.advance(line), line) for line in lines]

    async def follow(self, project_id: str, wanted: LogsWanted, last_event_id: str | None) -> LogReading:
        """A reader that begins after `last_event_id`, or else with the last lines. Raises EngineUnavailable."""
        hub = self._enter(project_id)
        try:
            await hub.ready()
            reading = LogReading(self._source, hub, wanted.service, lambda: self._leave(project_id, hub))
            if last_event_id is None:
                stretches = await self._ends(hub, wanted)
                lines, marks = newest(stretches, wanted.tail)
                reading.begin(marks, lines)
            else:
                _resume(reading, hub, last_event_id)
        except BaseException:
            self._leave(project_id, hub)
            raise
        return reading

    def end(self, project_id: str) -> None:
        """The project was deleted: its readers get `end`."""
        if (hub := self._hubs.pop(project_id, None)) is not None:
            hub.end()

    async def run(self) -> None:
        told = ""
        while True:
            try:
                async for project_id in self._source.changes():
                    told = ""
                    self._changed(project_id)
            except EngineUnavailable as error:
                # Once, not every second.
                if not told:
                    told = str(error)
                    self._log.warning("container_events_broke", reason=told)
            await asyncio.sleep(RETRY_S)

    async def close(self) -> None:
        await self._tasks.close()

    def _changed(self, project_id: str | None) -> None:
        # After a lost connection nobody knows what happened meanwhile, so every project looks again.
        hubs = self._hubs.values() if project_id is None else filter(None, [self._hubs.get(project_id)])
        for hub in hubs:
            hub.changed()

    async def _stretch(self, container: ServiceContainer, wanted: LogsWanted) -> Stretch | None:
        try:
            return await read_stretch(self._source, container, wanted)
        except ContainerGone:
            # Removed since it was listed, and its log with it.
            return None

    async def _ends(self, hub: ProjectHub, wanted: LogsWanted) -> list[Stretch]:
        stretches: list[Stretch] = []
        for feed in list(hub.feeds.values()):
            if wanted.service not in {None, feed.container.service}:
                continue
            stretch = feed.newest(wanted) or await self._stretch(feed.container, wanted)
            if stretch is not None:
                stretches.append(stretch)
        return stretches

    def _enter(self, project_id: str) -> ProjectHub:
        hub = self._hubs.get(project_id)
        if hub is None:
            hub = self._hubs[project_id] = ProjectHub(project_id, self._source, self._tasks)
        hub.users += 1
        return hub

    def _leave(self, project_id: str, hub: ProjectHub) -> None:
        hub.users -= 1
        if hub.users:
            return
        hub.stop()
        # After `end` a project of the same id may have a hub of its own.
        if self._hubs.get(project_id) is hub:
            del self._hubs[project_id]


def _resume(reading: LogReading, hub: ProjectHub, last_event_id: str) -> None:
    had = read_event_id(last_event_id)
    if had is None:
        reading.begin({}, (), gap(None, "unknown_event_id"))
        return
    here = _names(hub)
    known = {name: mark for name, mark in had.items() if name in here}
    # What a container that is gone wrote after that event cannot be had any more, if there was anything.
    reading.begin(known, (), b"" if len(known) == len(had) else gap(None, "container_gone"))


def _names(hub: ProjectHub) -> Iterable[str]:
    return {feed.name for feed in hub.feeds.values()}
