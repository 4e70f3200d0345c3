"""The newest part of a live source, kept once for all its readers.

A reader is only an index into the ring. Nothing is queued per reader, so a slow one costs nothing and slows nobody: when the ring
has moved past its index, it is told how much it missed (a gap) and goes on from the newer half.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")

_TRIM_AT_ONCE = 64


class Pulse:
    """Wakes everyone who waits for news, at the cost of one future however many wait."""

    def __init__(self) -> None:
        self._next: asyncio.Future[None] | None = None

    def beat(self) -> None:
        if self._next is not None and not self._next.done():
            self._next.set_result(None)
        self._next = None

    async def wait(self, timeout: float) -> None:
        """Returns at the next beat or after `timeout` seconds. Look for news after calling, not before: beats are not kept."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        await asyncio.wait({self._next}, timeout=timeout)


@dataclass(frozen=True, slots=True)
class Batch(Generic[Item]):
    """`missed` items were gone before `items`; `index` is where to go on."""

    items: Sequence[Item]
    missed: int
    index: int


class Ring(Generic[Item]):
    """Bounded by count and by bytes. `start` and `end` count items since the ring was made."""

    def __init__(self, pulse: Pulse, *, max_items: int, max_bytes: int) -> None:
        self._pulse = pulse
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._items: list[Item] = []
        self._sizes: list[int] = []
        self._bytes = 0
        self._trimmed = 0
        self._base = 0
        self.closed = False

    @property
    def start(self) -> int:
        return self._base + self._trimmed

    @property
    def end(self) -> int:
        return self._base + len(self._items)

    def append(self, item: Item, size: int) -> None:
        self._items.append(item)
        self._sizes.append(size)
        self._bytes += size
        while self.end - self.start > self._max_items or self._bytes > self._max_bytes:
            self._bytes -= self._sizes[self._trimmed]
            self._trimmed += 1
        if self._trimmed >= _TRIM_AT_ONCE:
            self._drop_trimmed()
        self._pulse.beat()

    def close(self) -> None:
        """Nothing more will come."""
        self.closed = True
        self._pulse.beat()

    def kept(self) -> Sequence[Item]:
        return self._items[self._trimmed :]

    def take(self, index: int, max_bytes: int) -> Batch[Item]:
        """What is there from `index` on: one item, and then as many as stay below `max_bytes`."""
        missed = 0
        if index < self.start:
            resumed = self.start + (self.end - self.start) // 2
            missed, index = resumed - index, resumed
        first = last = index - self._base
        taken = 0
        while last < len(self._items) and (last == first or taken + self._sizes[last] <= max_bytes):
            taken += self._sizes[last]
            last += 1
        items = self._items[first:last]
        return Batch(items, missed, index + len(items))

    def _drop_trimmed(self) -> None:
        # In blocks, because taking the head off a list moves the whole rest.
        del self._items[: self._trimmed]
        del self._sizes[: self._trimmed]
        self._base += self._trimmed
        self._trimmed = 0
