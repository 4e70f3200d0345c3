"""Requests counted as they end: by route and status class, by lane, and what the gateway refused by itself."""

from collections import Counter
from typing import Final

from gateway.observation.latency import Latency
from gateway.routes.route import Lane
from shared.relay.director import Outcome

CONTROL: Final = "control"
"""The gateway's own paths, as a route name."""

_STATUS_CLASSES: Final = tuple(f"{hundreds}xx" for hundreds in range(10))


class Traffic:
    def __init__(self) -> None:
        self.in_flight = 0
        self.refusals: Counter[str] = Counter()
        self.latency = {lane: Latency() for lane in Lane}
        self._by_route: dict[str, list[int]] = {}

    def forwarded(self) -> None:
        self.in_flight += 1

    def ended(self, route: str, lane: Lane | None, outcome: Outcome) -> None:
        """`lane` is None for the gateway's own paths, whose latency is not that of a lane."""
        self.in_flight -= 1
        counts = self._by_route.get(route)
        if counts is None:
            counts = self._by_route[route] = [0] * len(_STATUS_CLASSES)
        counts[outcome.status // 100] += 1
        if lane is not None:
            self.latency[lane].add(outcome.latency_ms)

    def refused(self, code: str) -> None:
        self.refusals[code] += 1

    def requests(self) -> dict[str, dict[str, int]]:
        """By route, then by `2xx`."""
        return {
            route: {name: count for name, count in zip(_STATUS_CLASSES, counts, strict=True) if count}
            for route, counts in sorted(self._by_route.items())
        }
