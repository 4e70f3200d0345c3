"""Latency percentiles from a fixed histogram: no samples are kept, and two histograms add up."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

_FIRST_MS: Final = 0.1
_GROWTH: Final = 1.25
BOUNDS_MS: Final = tuple(_FIRST_MS * _GROWTH**step for step in range(72))
"""Upper bounds, up to about 13 minutes; a percentile is at most 25 % too high."""


class Latency:
    """`counts` has one place for each bound, and one for what is beyond the last."""

    __slots__ = ("counts", "sum_ms")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_MS) + 1)
        self.sum_ms = 0.0

    def add(self, milliseconds: float) -> None:
        self.counts[bisect_left(BOUNDS_MS, milliseconds)] += 1
        self.sum_ms += milliseconds


def percentile(counts: Sequence[int], percent: float) -> float:
    """The upper bound, in milliseconds, of the bucket that holds it; 0 when nothing was measured."""
    total = sum(counts)
    wanted = total * percent / 100
    seen = 0
    for bound, count in zip(BOUNDS_MS, counts, strict=False):
        seen += count
        if seen >= wanted and seen:
            return round(bound, 3)
    return round(BOUNDS_MS[-1], 3) if total else 0.0
