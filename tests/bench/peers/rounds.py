"""Several things measured in turn, several times over: what else the machine does then meets all of them alike."""

import statistics
from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import astuple
from typing import TypeVar

from tests.bench.peers.constant_rate import Latencies
from tests.bench.peers.load import Figures

Key = TypeVar("Key", bound=Hashable)
Found = TypeVar("Found", Figures, Latencies)


def interleaved(
    points: Mapping[Key, Callable[[], Found]], rounds: int, after_round: Callable[[int], None] | None = None
) -> dict[Key, Found]:
    """The median of each figure of each point."""
    seen: dict[Key, list[Found]] = defaultdict(list)
    for number in range(1, rounds + 1):
        for key, measured in points.items():
            seen[key].append(measured())
        if after_round is not None:
            after_round(number)
    return {key: median(figures) for key, figures in seen.items()}


def median(figures: Sequence[Found]) -> Found:
    return type(figures[0])(
        *(statistics.median(column) for column in zip(*map(astuple, figures), strict=True))
    )
