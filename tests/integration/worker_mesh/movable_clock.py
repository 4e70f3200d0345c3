"""Real time, moved on by a test."""

from dataclasses import dataclass

from shared.clock import SystemClock


@dataclass(slots=True)
class MovableClock:
    shift: float = 0.0

    def now(self) -> float:
        return SystemClock().now() + self.shift

    def monotonic(self) -> float:
        return SystemClock().monotonic() + self.shift
