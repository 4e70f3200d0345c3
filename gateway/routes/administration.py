"""The routes as an administrator sees and reloads them."""

from collections.abc import Mapping, Sequence

from gateway.api.reports import RouteFaults
from gateway.routes.current import CurrentRoutes, RoutesNotTaken
from gateway.routes.route import Route


class AdministeredRoutes:
    def __init__(self, routes: CurrentRoutes) -> None:
        self._routes = routes

    def view(self) -> Sequence[Mapping[str, object]]:
        return [_view(route) for route in self._routes.table().routes]

    async def reload(self) -> None:
        try:
            await self._routes.reload()
        except RoutesNotTaken as refused:
            raise RouteFaults(refused.faults) from refused


def _view(route: Route) -> Mapping[str, object]:
    return {
        "name": route.name,
        "priority": route.priority,
        "lane": route.lane.value,
        "path": route.pattern.source,
        "methods": sorted(route.methods) if route.methods is not None else None,
        "host": route.host,
        "upstream": route.upstream.name,
        "max_body": route.max_body,
    }
