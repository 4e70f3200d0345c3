"""Step 9: bind the matched route to its upstream, with the identity that the route asks for."""

from dataclasses import dataclass

from gateway.routes.route import Upstream
from gateway.routes.table import Match
from gateway.steps.step_08_resolve_entitlements import Entitled


@dataclass(slots=True, init=False)
class Bound:
    """`entitled` is None on a public route."""

    match: Match
    upstream: Upstream
    entitled: Entitled | None

    def __init__(self, match: Match, upstream: Upstream, entitled: Entitled | None) -> None:
        self.match = match
        self.upstream = upstream
        self.entitled = entitled


def match_route(match: Match, entitled: Entitled | None) -> Bound:
    return Bound(match, match.route.upstream, entitled)
