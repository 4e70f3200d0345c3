"""A reader of one ring whose events are numbered in the order they came."""

from collections.abc import Callable
from typing import Generic, TypeVar

from shared.sse import encode_event
from worker.streams.event_id import Start, gap
from worker.streams.ring import Pulse, Ring

Item = TypeVar("Item")

AT_ONCE_BYTES = 64 * 1024


class RingReading(Generic[Item]):
    """A `worker.streams.sse.Reading`. `encode` makes an event of an item and its sequence."""

    def __init__(
        self,
        ring: Ring[Item],
        pulse: Pulse,
        start: Start,
        encode: Callable[[Item, int], bytes],
        on_close: Callable[[], None] = lambda: None,
    ) -> None:
        self._ring = ring
        self._pulse = pulse
        self._index = start.index
        self._opening = start.opening
        self._encode = encode
        self._on_close = on_close
        self._ended = False

    async def next(self, timeout: float) -> bytes | None:
        if self._ended:
            return None
        if self._index >= self._ring.end and not self._ring.closed and not self._opening:
            await self._pulse.wait(timeout)
        batch = self._ring.take(self._index, AT_ONCE_BYTES)
        first = batch.index - len(batch.items)
        self._index = batch.index
        events, self._opening = self._opening, b""
        if batch.missed:
            events += gap(batch.missed, "slow_reader")
        events += b"".join(self._encode(item, first + place) for place, item in enumerate(batch.items))
        if self._ring.closed and self._index >= self._ring.end:
            self._ended = True
            events += encode_event("end", {})
        return events

    async def close(self) -> None:
        self._on_close()
