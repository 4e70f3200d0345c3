"""Several things measured in turn, several times over: what else the machine does then meets all of them alike."""

import statistics
from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import astuple
from typing import TypeVar

from tests.bench.peers.load import Figures

Key = TypeVar("Key", bound=Hashable)


def interleaved(
    points: Mapping[Key, Callable[[], Figures]], rounds: int, after_round: Callable[[int], None] | None = None
) -> dict[Key, Figures]:
    """The median of each figure of each point."""
    seen: dict[Key, list[Figures]] = defaultdict(list)
    for number in range(1, rounds + 1):
        for key, measured in points.items():
            seen[key].append(measured())
        if after_round is not None:
            after_round(number)
    return {key: median(figures) for key, figures in seen.items()}


def median(figures: Sequence[Figures]) -> Figures:
    return Figures(*(statistics.median(column) for column in zip(*map(astuple, figures), strict=True)))
