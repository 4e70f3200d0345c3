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
        self.by_route: Counter[tuple[str, str]] = Counter()
        self.refusals: Counter[str] = Counter()
        self.latency = {lane: Latency() for lane in Lane}

    def forwarded(self) -> None:
        self.in_flight += 1

    def ended(self, route: str, lane: Lane | None, outcome: Outcome) -> None:
        """`lane` is None for the gateway's own paths, whose latency is not that of a lane."""
        self.in_flight -= 1
        self.by_route[route, _STATUS_CLASSES[outcome.status // 100]] += 1
        if lane is not None:
            self.latency[lane].add(outcome.latency_ms)

    def refused(self, code: str) -> None:
        self.refusals[code] += 1

    def requests(self) -> dict[str, dict[str, int]]:
        """By route, then by `2xx`."""
        shown: dict[str, dict[str, int]] = {}
        for (route, status_class), count in sorted(self.by_route.items()):
            shown.setdefault(route, {})[status_class] = count
        return shown
