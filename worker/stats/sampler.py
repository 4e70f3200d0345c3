"""Measures something every two seconds while anybody listens, once for all of them, and not at all otherwise."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Generic, TypeVar

import structlog

from shared.clock import Clock
from shared.sse import encode_event
from worker.errors import EngineUnavailable
from worker.streams.event_id import epoch_of, start_after
from worker.streams.replay import RingReading
from worker.streams.ring import Pulse, Ring
from worker.streams.tasks import TaskSet

Reading = TypeVar("Reading")
Report = Mapping[str, object]

PERIOD_S = 2.0
FIRST_GAP_S = 0.5
"""Between the two readings that a first report needs: CPU is a difference."""
STALE_S = 30.0
"""A reading older than this is not compared with; nobody wants the average of half an hour."""
KEPT_REPORTS = 60
_REPORT_BYTES = 1024
_MOST_BYTES = KEPT_REPORTS * _REPORT_BYTES


class Sampler(Generic[Reading]):
    """`read` takes a reading, `report` compares two. The last reports are kept for readers who come back.

    Failure policy: what `read` raises reaches a caller of `report_now`; while streaming it is logged, and the next turn tries again.
    """

    def __init__(
        self,
        name: str,
        read: Callable[[], Awaitable[Reading]],
        report: Callable[[Reading, Reading], Report],
        tasks: TaskSet,
        clock: Clock,
    ) -> None:
        self._name = name
        self._read = read
        self._report = report
        self._tasks = tasks
        self._clock = clock
        self._epoch = epoch_of(clock.now())
        self._pulse = Pulse()
        self._ring: Ring[Report] = Ring(self._pulse, max_items=KEPT_REPORTS, max_bytes=_MOST_BYTES)
        self._listeners = 0
        self._sampling: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        self._last: tuple[float, Reading] | None = None

    async def report_now(self) -> Report:
        """The newest report if it is at most a period old, else a new one. May raise what `read` raises."""
        async with self._turn:
            kept = self._ring.kept()
            if kept and self._last is not None and self._age(self._last[0]) <= PERIOD_S:
                return kept[-1]
            return await self._measure()

    def follow(self, last_event_id: str | None) -> RingReading[Report]:
        """A reader; sampling goes on until the last one is closed."""
        self._listeners += 1
        if self._sampling is None:
            self._sampling = self._tasks.start(f"sample-{self._name}", self._sample())
        newest = 1 if self._last is not None and self._age(self._last[0]) <= PERIOD_S else 0
        start = start_after(last_event_id, self._epoch, self._ring, newest=newest)
        return RingReading(self._ring, self._pulse, start, self._encode, self._leave)

    def end(self) -> None:
        """What is measured is gone: readers get `end`."""
        self._ring.close()

    async def _sample(self) -> None:
        log = structlog.get_logger("stats")
        told = ""
        while True:
            try:
                async with self._turn:
                    await self._measure()
                told = ""
            except EngineUnavailable as error:
                # Once, not every two seconds.
                if not told:
                    told = str(error)
                    log.warning("not_measured", what=self._name, reason=told)
            except Exception:
                log.exception("not_measured", what=self._name)
            await asyncio.sleep(PERIOD_S)

    async def _measure(self) -> Report:
        if self._last is None or self._age(self._last[0]) > STALE_S:
            self._last = (self._clock.monotonic(), await self._read())
            await asyncio.sleep(FIRST_GAP_S)
        before = self._last[1]
        now = await self._read()
        self._last = (self._clock.monotonic(), now)
        report = self._report(before, now)
        self._ring.append(report, _REPORT_BYTES)
        return report

    def _age(self, moment: float) -> float:
        return self._clock.monotonic() - moment

    def _encode(self, report: Report, sequence: int) -> bytes:
        return encode_event("stats", report, f"{self._epoch}-{sequence}")

    def _leave(self) -> None:
        self._listeners -= 1
        if self._listeners == 0 and self._sampling is not None:
            self._sampling.cancel()
            self._sampling = None
