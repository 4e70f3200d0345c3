"""Time as an argument, so that rules about time can be tested without waiting."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> float:
        """Unix time in seconds."""

    def monotonic(self) -> float:
        """Seconds that never go back; for durations and deadlines only."""


class SystemClock:
    def now(self) -> float:
        return time.time()  # noqa: TID251 - the one place that reads the wall clock

    def monotonic(self) -> float:
        return time.monotonic()


def rfc3339(unix: float) -> str:
    """`2026-11-22T02:38:00.123Z`: UTC, milliseconds, as every JSON answer of the platform shows time."""
    return datetime.fromtimestamp(unix, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
