"""One container's log, followed once however many read it, with its newest part kept in a ring.

Facts (Docker 20.10): a log that is followed is re-opened at its beginning each time it is rotated. Who is more than one rotation behind loses
whole files, and then gets others again. A log that is read to its end is read in order, all files of it. So a feed follows only when it is close to the
end, and not for long: then it reads to the end once more.

Failure policy: when the engine's stream ends (the container stopped, the engine went away, the log was rotated under it) the feed waits a
moment and goes on after the last line it had; nothing is lost, because the engine keeps the log. When the container is gone, the
feed is closed.
"""

import asyncio
import math
from bisect import bisect_right
from collections.abc import Iterable
from contextlib import aclosing
from dataclasses import replace

import structlog

from worker.errors import ContainerGone, EngineUnavailable
from worker.logs.line import LogLine, Marker, is_torn, mark_at, read_from, short_id
from worker.logs.query import LogsWanted
from worker.logs.recent import Stretch, lines_of, read_stretch, stretch_of
from worker.streams.engine import ContainerSource, LogQuery, ServiceContainer
from worker.streams.ring import Pulse, Ring

KEPT_LINES = 2000
KEPT_BYTES = 1024 * 1024
FOLLOWED_BYTES = 4 * 1024 * 1024
"""Less than a rotation (10 MiB) away from a point that was reached by reading."""
BEHIND_S = 1.0
CLOSE_LINES = 1000
LOOK_AGAIN_S = (0.5, 1.0, 2.0, 5.0, 10.0)


class ContainerFeed:
    """Readers keep an index into `ring`. `ready` is set once the ring holds the end of the log."""

    def __init__(self, source: ContainerSource, container: ServiceContainer, pulse: Pulse) -> None:
        self.container = container
        self.name = short_id(container.container_id)
        self.ring: Ring[LogLine] = Ring(pulse, max_items=KEPT_LINES, max_bytes=KEPT_BYTES)
        self.ready = asyncio.Event()
        self._source = source
        self._nudged = asyncio.Event()
        self._before = 0
        self._last = 0
        self._shortest_delay = math.inf
        self._log = structlog.get_logger("logs.feed")

    def nudge(self) -> None:
        """Something happened to the container: look now instead of later."""
        self._nudged.set()

    async def run(self) -> None:
        turn = 0
        while True:
            had = self._last
            try:
                await self._read_on()
            except ContainerGone:
                break
            except EngineUnavailable as error:
                self._log.warning("log_stream_broke", container=self.name, reason=str(error))
            turn = 0 if self._last > had else min(turn + 1, len(LOOK_AGAIN_S) - 1)
            await self._pause(LOOK_AGAIN_S[turn])
        self.ready.set()
        self.ring.close()

    def covers(self, mark: int) -> bool:
        """Whether all lines after `mark` are in the ring."""
        kept = self.ring.kept()
        if self.ring.start == 0:
            return mark >= self._before
        return bool(kept) and mark >= kept[0].mark

    def is_torn_after(self, mark: int) -> bool:
        """Of a mark that is covered: whether the engine itself no longer has what came right after it."""
        kept = self.ring.kept()
        return self.ring.start == 0 and bool(kept) and is_torn(mark, kept[0].mark)

    def index_after(self, mark: int) -> int:
        kept = self.ring.kept()
        return self.ring.start + bisect_right(kept, mark, key=lambda line: line.mark)

    def newest(self, wanted: LogsWanted) -> Stretch | None:
        """From the ring; None when it does not reach back that far."""
        kept = self.ring.kept()
        if wanted.since_ns or (len(kept) < wanted.tail and not self.covers(0)):
            return None
        return stretch_of(self.name, kept[-wanted.tail :] if wanted.tail else (), self._last)

    async def _read_on(self) -> None:
        if not self.ready.is_set():
            everything = LogsWanted(tail=KEPT_LINES, since_ns=0, service=None)
            stretch = await read_stretch(self._source, self.container, everything)
            # Fewer lines than asked for are the whole log: then nothing comes before them.
            self._before = stretch.before if len(stretch.lines) >= KEPT_LINES else 0
            self._keep(stretch.lines)
            self.ready.set()
        while True:
            while await self._read_to_the_end() > CLOSE_LINES:
                pass
            if not await self._follow():
                return

    async def _read_to_the_end(self) -> int:
        """How many lines that were."""
        query = LogQuery(since_ns=read_from(self._last))
        marker = Marker(self.container.container_id, self.container.service)
        count = 0
        async with aclosing(lines_of(self._source, self.container, query, marker, self._last)) as batches:
            async for lines in batches:
                if count == 0 and is_torn(self._last, marker.first):
                    lines[0] = replace(lines[0], torn=True)
                count += len(lines)
                self._keep(lines)
        return count

    async def _follow(self) -> bool:
        """Whether it fell behind, or followed for long enough; else the engine has ended the stream."""
        query = LogQuery(since_ns=read_from(self._last), follow=True)
        marker = Marker(self.container.container_id, self.container.service)
        received = 0
        async with aclosing(lines_of(self._source, self.container, query, marker, self._last)) as batches:
            async for lines in batches:
                if marker.goes_back:
                    return True
                self._keep(lines)
                received += sum(line.size for line in lines)
                if received > FOLLOWED_BYTES or self._is_behind(lines[-1]):
                    return True
        return False

    def _is_behind(self, line: LogLine) -> bool:
        """Compared with the shortest time that a line ever took to get here: the engine's clock need not be ours."""
        delay = asyncio.get_running_loop().time() - line.mark / mark_at(1_000_000_000)
        self._shortest_delay = min(self._shortest_delay, delay)
        return delay - self._shortest_delay > BEHIND_S

    def _keep(self, lines: Iterable[LogLine]) -> None:
        for line in lines:
            self.ring.append(line, line.size)
            self._last = line.mark

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._nudged.wait()
        except TimeoutError:
            pass
        self._nudged.clear()
