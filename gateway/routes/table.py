"""The routes in force: immutable, replaced whole, found by literal prefix so that a thousand cost what three do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.errors import RouteNotFound
from gateway.routes.route import Route, Upstream
from gateway.rules.canonical_target import CanonicalTarget
from gateway.rules.entitlements import Plans
from shared.relay.director import RequestHead


@dataclass(slots=True, init=False)
class Match:
    """A request, the form of its target that counts, and the route that it takes."""

    head: RequestHead
    target: CanonicalTarget
    route: Route
    params: Mapping[str, str]
    plans: Plans

    def __init__(
        self,
        head: RequestHead,
        target: CanonicalTarget,
        route: Route,
        params: Mapping[str, str],
        plans: Plans,
    ) -> None:
        self.head = head
        self.target = target
        self.route = route
        self.params = params
        self.plans = plans


_Ranked = tuple[int, Route]


class RouteTable:
    """Highest priority first, equal priorities in file order.

    Every pattern begins with some literal text. Candidates are found by looking up the path's own beginnings, longest first, one
    for each length of literal text that occurs; with the first that is found come those of its own beginnings. So the number of routes
    does not matter, only how many lengths they have.
    """

    def __init__(
        self,
        routes: Sequence[Route],
        plans: Plans,
        upstreams: Mapping[str, Upstream],
        warnings: Sequence[str] = (),
    ) -> None:
        self.routes = tuple(sorted(routes, key=lambda route: -route.priority))
        self.plans = plans
        self.upstreams = upstreams
        self.warnings = tuple(warnings)
        exact: dict[str, list[_Ranked]] = {}
        by_prefix: dict[str, list[_Ranked]] = {}
        for ranked in enumerate(self.routes):
            pattern = ranked[1].pattern
            index = exact if pattern.is_exact else by_prefix
            index.setdefault(pattern.prefix, []).append(ranked)
        self._lengths = tuple(sorted({len(prefix) for prefix in by_prefix}, reverse=True))
        self._beginning = {
            prefix: _in_order(_ranked_for(by_prefix, prefix, self._lengths)) for prefix in by_prefix
        }
        self._exact = {
            path: _in_order(routes + _ranked_for(by_prefix, path, self._lengths))
            for path, routes in exact.items()
        }

    def match(self, head: RequestHead, target: CanonicalTarget) -> Match:
        """Raises RouteNotFound."""
        path = target.path
        for route in self.candidates(path):
            params = route.pattern.match(path)
            if params is not None and route.accepts(head):
                return Match(head, target, route, params, self.plans)
        raise RouteNotFound

    def candidates(self, path: str) -> Sequence[Route]:
        """The only ones that are tried, first to last."""
        exact = self._exact.get(path)
        if exact is not None:
            return exact
        for length in self._lengths:
            found = self._beginning.get(path[:length])
            if found is not None:
                return found
        return ()


def _in_order(ranked: list[_Ranked]) -> tuple[Route, ...]:
    return tuple(route for _, route in sorted(ranked, key=_rank))


def _ranked_for(by_prefix: Mapping[str, list[_Ranked]], path: str, lengths: Sequence[int]) -> list[_Ranked]:
    """The routes whose literal text `path` begins with."""
    beginnings = (path[:length] for length in lengths if length <= len(path))
    return [ranked for beginning in beginnings for ranked in by_prefix.get(beginning, ())]


def _rank(entry: _Ranked) -> int:
    return entry[0]
