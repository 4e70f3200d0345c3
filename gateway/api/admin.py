"""`/mod/admin/users` and `/mod/admin/routes`: for administrators; everyone else finds nothing here."""

from aiohttp import web

from gateway.accounts.administration import Administration
from gateway.accounts.principal import PlanId, Role, UserId, UserStatus
from gateway.accounts.users import UserChange, UserFilter, Users
from gateway.api.bodies import BodyInvalid, UserPatch, read_body, read_page
from gateway.api.callers import Callers
from gateway.api.reports import CurrentPlans, RouteFaults, Routes
from gateway.api.usage import MOST_ON_A_PAGE, USUAL_PAGE
from gateway.api.views import user_view
from shared.problem import FieldFault


class AdminHandlers:
    def __init__(
        self,
        callers: Callers,
        users: Users,
        administration: Administration,
        plans: CurrentPlans,
        routes: Routes,
    ) -> None:
        self._callers = callers
        self._users = users
        self._administration = administration
        self._plans = plans
        self._routes = routes

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/mod/admin/users", self.list_users),
            web.get("/mod/admin/users/{id}", self.show),
            web.patch("/mod/admin/users/{id}", self.change),
            web.get("/mod/admin/routes", self.list_routes),
            web.post("/mod/admin/routes/reload", self.reload_routes),
        ]

    async def list_users(self, request: web.Request) -> web.Response:
        await self._callers.admin(request)
        limit, cursor = read_page(request.query, usual=USUAL_PAGE, most=MOST_ON_A_PAGE)
        try:
            users, following = await self._users.page(limit, cursor, _filter(request))
        except ValueError as error:
            raise BodyInvalid([FieldFault("cursor", "was not given out here")]) from error
        return web.json_response({"items": [user_view(user) for user in users], "next_cursor": following})

    async def show(self, request: web.Request) -> web.Response:
        await self._callers.admin(request)
        return web.json_response(user_view(await self._users.get(UserId(request.match_info["id"]))))

    async def change(self, request: web.Request) -> web.Response:
        admin = await self._callers.admin(request)
        body = await read_body(request, UserPatch)
        if body.plan_id is not None and body.plan_id not in self._plans().by_id:
            raise BodyInvalid([FieldFault("plan_id", "is not a plan of this gateway")])
        change = UserChange(plan_id=body.plan_id, role=body.role, status=body.status)
        user = await self._administration.change(admin.user_id, UserId(request.match_info["id"]), change)
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


def _filter(request: web.Request) -> UserFilter:
    """`q`, `plan_id`, `role` and `status`. Raises BodyInvalid."""
    query = request.query
    role, status = query.get("role"), query.get("status")
    faults = []
    if role is not None and role not in set(Role):
        faults.append(FieldFault("role", f"must be one of {', '.join(Role)}"))
    if status is not None and status not in set(UserStatus):
        faults.append(FieldFault("status", f"must be one of {', '.join(UserStatus)}"))
    if faults:
        raise BodyInvalid(faults)
    plan_id = query.get("plan_id")
    return UserFilter(
        text=query.get("q", ""),
        plan_id=None if plan_id is None else PlanId(plan_id),
        role=None if role is None else Role(role),
        status=None if status is None else UserStatus(status),
    )
