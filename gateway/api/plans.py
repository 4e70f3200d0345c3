"""`/mod/plans`: what plans there are, for everyone who is signed in."""

from aiohttp import web

from gateway.api.callers import Callers
from gateway.api.reports import CurrentPlans
from gateway.api.views import plan_view


class PlanHandlers:
    def __init__(self, callers: Callers, plans: CurrentPlans) -> None:
        self._callers = callers
        self._plans = plans

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/mod/plans", self.list_plans)]

    async def list_plans(self, request: web.Request) -> web.Response:
        await self._callers.user(request)
        plans = self._plans()
        return web.json_response(
            {"items": [plan_view(plan) for plan in plans.by_id.values()], "default": plans.default.plan_id}
        )
