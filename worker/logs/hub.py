"""One project's live log while anybody reads it: a feed for each of its containers, old ones and those that join later."""

import asyncio
from collections.abc import Coroutine
from typing import Protocol

import structlog

from worker.errors import EngineUnavailable
from worker.logs.feed import ContainerFeed
from worker.streams.engine import ContainerSource
from worker.streams.ring import Pulse
from worker.streams.tasks import TaskSet

READY_DEADLINE_S = 10.0
RETRY_S = 1.0


class FeedReader(Protocol):
    def adopt(self, feed: ContainerFeed) -> None:
        """A container that was not there when the reader came."""


class ProjectHub:
    """`users` counts the readers, and those who are about to become one."""

    def __init__(self, project_id: str, source: ContainerSource, tasks: TaskSet) -> None:
        self.pulse = Pulse()
        self.feeds: dict[str, ContainerFeed] = {}
        self.ended = False
        self.users = 0
        self._project_id = project_id
        self._source = source
        self._tasks = tasks
        self._readers: set[FeedReader] = set()
        self._mine: list[asyncio.Task[None]] = []
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()
        self._listed = False
        self._log = structlog.get_logger("logs.hub")

    async def ready(self) -> None:
        """Until the end of every container's log is here. Raises EngineUnavailable."""
        async with self._turn:
            if not self._listed:
                await self._refresh()
                self._listed = True
                self._start("changes", self._follow_changes())
        try:
            async with asyncio.timeout(READY_DEADLINE_S):
                for feed in list(self.feeds.values()):
                    await feed.ready.wait()
        except TimeoutError as error:
            raise EngineUnavailable("the logs could not be read in time") from error

    def join(self, reader: FeedReader) -> None:
        self._readers.add(reader)

    def leave(self, reader: FeedReader) -> None:
        self._readers.discard(reader)

    def changed(self) -> None:
        """A container of this project came, started, stopped or went."""
        self._changed.set()

    def end(self) -> None:
        """The project is deleted."""
        self.ended = True
        self.pulse.beat()

    def stop(self) -> None:
        """Nobody reads any more."""
        for task in self._mine:
            task.cancel()

    async def _follow_changes(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                async with self._turn:
                    await self._refresh()
            except EngineUnavailable as error:
                self._log.warning("containers_not_listed", project_id=self._project_id, reason=str(error))
                await asyncio.sleep(RETRY_S)
                self._changed.set()

    async def _refresh(self) -> None:
        listed = await self._source.containers(self._project_id)
        for container in listed:
            if container.container_id not in self.feeds:
                feed = ContainerFeed(self._source, container, self.pulse)
                self.feeds[container.container_id] = feed
                self._start(f"feed-{feed.name}", feed.run())
                for reader in self._readers:
                    reader.adopt(feed)
        self.feeds = {key: feed for key, feed in self.feeds.items() if not feed.ring.closed}
        for feed in self.feeds.values():
            feed.nudge()

    def _start(self, name: str, work: Coroutine[object, object, None]) -> None:
        self._mine = [task for task in self._mine if not task.done()]
        self._mine.append(self._tasks.start(f"logs-{self._project_id}-{name}", work))
