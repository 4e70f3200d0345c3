"""One reader of a project's live log.

A reader has a place in each container's log. A place that the feed's ring does not reach back to is first brought up to it from the
engine, as slowly as the reader reads; from then on it is an index into the ring.
"""

import asyncio
import heapq
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from dataclasses import dataclass

from shared.sse import encode_event
from worker.errors import ContainerGone, EngineUnavailable
from worker.logs.cursor import Cursor
from worker.logs.feed import ContainerFeed
from worker.logs.hub import ProjectHub
from worker.logs.line import LogLine, Marker, is_torn, read_from
from worker.logs.recent import lines_of
from worker.streams.engine import ContainerSource, LogQuery
from worker.streams.event_id import gap
from worker.streams.replay import AT_ONCE_BYTES

CATCH_UPS = 20
"""Times a reader may read the log again because the ring had moved on before it was done: then it gets a gap instead."""


@dataclass(slots=True)
class _Place:
    """`mark` is the last line had; `index` is None until the feed's ring has all lines after it."""

    feed: ContainerFeed
    mark: int
    index: int | None = None
    backlog: AsyncGenerator[list[LogLine], None] | None = None
    marker: Marker | None = None
    catch_ups: int = 0


class LogReading:
    """A `worker.streams.sse.Reading`, once `begin` has been called."""

    def __init__(
        self,
        source: ContainerSource,
        hub: ProjectHub,
        service: str | None,
        on_close: Callable[[], None],
    ) -> None:
        self._source = source
        self._hub = hub
        self._service = service
        self._on_close = on_close
        self._places: list[_Place] = []
        self._cursor = Cursor({})
        self._opening = b""
        self._ended = False

    def begin(self, marks: Mapping[str, int], opening: Iterable[LogLine], preface: bytes = b"") -> None:
        """From `marks` on, by container (others from their beginning); `opening` are the first lines after them."""
        self._cursor = Cursor(marks)
        lines = list(opening)
        had = {**marks, **{line.container: line.mark for line in lines}}
        for feed in self._hub.feeds.values():
            self._take_on(feed, had.get(feed.name, 0))
        self._opening = preface + self._encode(lines)
        self._hub.join(self)

    def adopt(self, feed: ContainerFeed) -> None:
        self._take_on(feed, 0)

    async def next(self, timeout: float) -> bytes | None:
        if self._ended:
            return None
        if self._opening:
            events, self._opening = self._opening, b""
            return events
        events = self._take()
        behind = next((place for place in self._places if place.index is None), None)
        if behind is not None:
            return events + await self._catch_up(behind, timeout)
        if not events and not self._hub.ended:
            await self._hub.pulse.wait(timeout)
            events = self._take()
        if not events and self._hub.ended:
            self._ended = True
            return encode_event("end", {"reason": "deleted"})
        return events

    async def close(self) -> None:
        self._hub.leave(self)
        self._on_close()
        for place in self._places:
            if place.backlog is not None:
                await place.backlog.aclose()

    def _take_on(self, feed: ContainerFeed, mark: int) -> None:
        if self._service is None or feed.container.service == self._service:
            self._places.append(_Place(feed, mark))
            self._cursor.meet(feed.name, mark)

    def _take(self) -> bytes:
        gaps = b""
        taken: list[list[LogLine]] = []
        for place in self._places:
            if place.index is None:
                continue
            batch = place.feed.ring.take(place.index, AT_ONCE_BYTES)
            place.index = batch.index
            if batch.missed:
                gaps += gap(batch.missed, "slow_reader")
            taken.append(list(batch.items))
        events = gaps + self._encode(heapq.merge(*taken, key=lambda line: line.mark))
        self._leave_finished()
        return events

    def _leave_finished(self) -> None:
        finished = [
            place for place in self._places if place.feed.ring.closed and place.index == place.feed.ring.end
        ]
        for place in finished:
            self._places.remove(place)
            self._cursor.forget(place.feed.name)

    async def _catch_up(self, place: _Place, timeout: float) -> bytes:
        """One step towards the ring; `b""` when it brought nothing to send."""
        feed = place.feed
        if place.backlog is None:
            if not await _is_ready(feed, timeout):
                return b""
            if feed.covers(place.mark):
                place.index = feed.index_after(place.mark)
                return gap(None, "rotated") if feed.is_torn_after(place.mark) else b""
            place.catch_ups += 1
            if place.catch_ups > CATCH_UPS:
                return self._give_up(place, "slow_reader")
            place.backlog = self._backlog(place)
        try:
            lines = await anext(place.backlog, None)
        except ContainerGone:
            return self._give_up(place, "container_gone")
        except EngineUnavailable:
            # The engine keeps the log: nothing is lost by asking again later.
            place.backlog = None
            await asyncio.sleep(timeout)
            return b""
        if lines is None:
            place.backlog = None
            return b""
        torn, place.marker = place.marker is not None and is_torn(place.mark, place.marker.first), None
        place.mark = lines[-1].mark
        return (gap(None, "rotated") if torn else b"") + self._encode(lines)

    def _backlog(self, place: _Place) -> AsyncGenerator[list[LogLine], None]:
        container = place.feed.container
        query = LogQuery(since_ns=read_from(place.mark))
        place.marker = Marker(container.container_id, container.service)
        return lines_of(self._source, container, query, place.marker, place.mark)

    def _give_up(self, place: _Place, reason: str) -> bytes:
        place.backlog = None
        place.index = place.feed.ring.start
        return gap(None, reason)

    def _encode(self, lines: Iterable[LogLine]) -> bytes:
        return b"".join(line.as_event(self._cursor.advance(line)) for line in lines)


async def _is_ready(feed: ContainerFeed, timeout: float) -> bool:
    try:
        async with asyncio.timeout(timeout):
            return await feed.ready.wait()
    except TimeoutError:
        return False
