"""`/mod/admin/users` and `/mod/admin/routes`: for administrators; everyone else finds nothing here."""

from aiohttp import web

from gateway.accounts.principal import UserId
from gateway.accounts.users import UserChange, Users
from gateway.api.bodies import BodyInvalid, UserPatch, read_body, read_page
from gateway.api.callers import Callers
from gateway.api.reports import CurrentPlans, RouteFaults, Routes
from gateway.api.usage import MOST_ON_A_PAGE, USUAL_PAGE
from gateway.api.views import user_view
from shared.problem import FieldFault


class AdminHandlers:
    def __init__(self, callers: Callers, users: Users, plans: CurrentPlans, routes: Routes) -> None:
        self._callers = callers
        self._users = users
        self._plans = plans
        self._routes = routes

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/mod/admin/users", self.list_users),
            web.patch("/mod/admin/users/{id}", self.change),
            web.get("/mod/admin/routes", self.list_routes),
            web.post("/mod/admin/routes/reload", self.reload_routes),
        ]

    async def list_users(self, request: web.Request) -> web.Response:
        await self._callers.admin(request)
        limit, cursor = read_page(request.query, usual=USUAL_PAGE, most=MOST_ON_A_PAGE)
        try:
            users, following = await self._users.page(limit, cursor)
        except ValueError as error:
            raise BodyInvalid([FieldFault("cursor", "was not given out here")]) from error
        return web.json_response({"items": [user_view(user) for user in users], "next_cursor": following})

    async def change(self, request: web.Request) -> web.Response:
        await self._callers.admin(request)
        body = await read_body(request, UserPatch)
        if body.plan_id is not None and body.plan_id not in self._plans().by_id:
            raise BodyInvalid([FieldFault("plan_id", "is not a plan of this gateway")])
        change = UserChange(plan_id=body.plan_id, role=body.role, status=body.status)
        user = await self._users.change(UserId(request.match_info["id"]), change)
        return web.json_response(user_view(user))

    async def list_routes(self, request: web.Request) -> web.Response:
        await self._callers.admin(request)
        return web.json_response({"items": list(self._routes.view())})

    async def reload_routes(self, request: web.Request) -> web.Response:
        await self._callers.admin(request)
        try:
            await self._routes.reload()
        except RouteFaults as invalid:
            raise BodyInvalid([FieldFault("routes", fault) for fault in invalid.faults]) from invalid
        return web.json_response({"items": list(self._routes.view())})
