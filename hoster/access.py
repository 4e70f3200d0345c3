"""Who may call a route. A route that does not say is for a verified user: a new one is protected until someone opens it."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Access(StrEnum):
    """PUBLIC: anyone. VIEWER: a verified user. GATEWAY: APIGate itself. NODE: the handler checks the node's own proof."""

    PUBLIC = "public"
    VIEWER = "viewer"
    GATEWAY = "gateway"
    NODE = "node"


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    path: str
    handler: Handler
    access: Access = Access.VIEWER


class AccessTable:
    """Which access each registered route has."""

    def __init__(self) -> None:
        self._by_route: dict[web.AbstractRoute, Access] = {}

    def register(self, router: web.UrlDispatcher, routes: Iterable[Route]) -> None:
        for route in routes:
            for method in ("GET", "HEAD") if route.method == "GET" else (route.method,):
                self._by_route[router.add_route(method, route.path, route.handler)] = route.access

    def of(self, route: web.AbstractRoute) -> Access:
        return self._by_route.get(route, Access.VIEWER)
