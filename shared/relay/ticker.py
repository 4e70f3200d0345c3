"""One coarse timer for all deadlines, instead of a timer handle for each request and each piece."""

import asyncio
from collections.abc import Callable
from email.utils import formatdate
from math import inf
from typing import Final

from shared.clock import Clock

TICK: Final = 0.25
"""Seconds. A deadline passes at most two ticks late and never early."""

NEVER: Final = inf


class Ticker:
    """`now` and `date_line` are as of the last tick."""

    __slots__ = ("_clock", "_handle", "_on_tick", "_second", "date_line", "now")

    def __init__(self, clock: Clock, on_tick: Callable[[float], None]) -> None:
        self._clock = clock
        self._on_tick = on_tick
        self._handle: asyncio.TimerHandle | None = None
        self._second = 0
        self.now = clock.monotonic()
        self.date_line = b""
        self._read_clock()

    def after(self, seconds: float) -> float:
        """The deadline that lies `seconds` ahead."""
        return self.now + seconds + TICK

    def start(self) -> None:
        if self._handle is None:
            self._tick()

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _tick(self) -> None:
        self._handle = asyncio.get_running_loop().call_later(TICK, self._tick)
        self._read_clock()
        self._on_tick(self.now)

    def _read_clock(self) -> None:
        self.now = self._clock.monotonic()
        second = int(self._clock.now())
        if second != self._second:
            self._second = second
            self.date_line = f"Date: {formatdate(second, usegmt=True)}\r\n".encode()
