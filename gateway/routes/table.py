"""The routes in force: immutable, replaced whole, found by literal prefix so that a thousand cost what three do."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gateway.errors import RouteNotFound
from gateway.routes.route import Route, Upstream
from gateway.rules.canonical_target import CanonicalTarget
from gateway.rules.entitlements import Plans
from shared.relay.director import RequestHead


class Match(NamedTuple):
    """A request, the form of its target that counts, and the route that it takes."""

    head: RequestHead
    target: CanonicalTarget
    route: Route
    params: Mapping[str, str]
    plans: Plans


_Ranked = tuple[int, Route]


class RouteTable:
    """Highest priority first, equal priorities in file order.

    Every pattern begins with some literal text. Candidates are found by looking up the path's own beginnings, one for each
    length of literal text that occurs, so the number of routes does not matter, only how many lengths they have.
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
        self._exact: dict[str, list[_Ranked]] = {}
        self._by_prefix: dict[str, list[_Ranked]] = {}
        for rank, route in enumerate(self.routes):
            index = self._exact if route.pattern.is_exact else self._by_prefix
            index.setdefault(route.pattern.prefix, []).append((rank, route))
        self._lengths = tuple(sorted({len(prefix) for prefix in self._by_prefix}))

    def match(self, head: RequestHead, target: CanonicalTarget) -> Match:
        """Raises RouteNotFound."""
        path = target.path
        for _, route in self._candidates(path):
            params = route.pattern.match(path)
            if params is not None and route.accepts(head):
                return Match(head, target, route, params, self.plans)
        raise RouteNotFound

    def _candidates(self, path: str) -> list[_Ranked]:
        lists = []
        exact = self._exact.get(path)
        if exact is not None:
            lists.append(exact)
        for length in self._lengths:
            if length > len(path):
                break
            found = self._by_prefix.get(path[:length])
            if found is not None:
                lists.append(found)
        if len(lists) == 1:
            return lists[0]
        return sorted((entry for found in lists for entry in found), key=_rank)


def _rank(entry: _Ranked) -> int:
    return entry[0]
