"""`/mod/usage`: what was used this month, and each event of it."""

from datetime import UTC, datetime

from aiohttp import web

from gateway.accounts.principal import PlanId, UserId
from gateway.api.bodies import BodyInvalid, read_page
from gateway.api.callers import Callers
from gateway.api.views import Json, event_view, quota_view, rate_view, total_view
from gateway.errors import CountersUnavailable
from gateway.metering.usage import UsageBooks
from shared.clock import Clock
from shared.problem import FieldFault

USUAL_PAGE = 50
MOST_ON_A_PAGE = 200


class UsageHandlers:
    def __init__(self, callers: Callers, books: UsageBooks, clock: Clock) -> None:
        self._callers = callers
        self._books = books
        self._clock = clock

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/mod/usage", self.usage),
            web.get("/mod/usage/events", self.events),
            web.get("/mod/admin/usage/events", self.everyones_events),
        ]

    async def usage(self, request: web.Request) -> web.Response:
        principal = await self._callers.user(request)
        user_id, plan_id = principal.user_id, principal.plan_id
        period = datetime.fromtimestamp(self._clock.now(), UTC).strftime("%Y-%m")
        totals = await self._books.totals(user_id, period)
        return web.json_response(
            {
                "period": period,
                "quota": quota_view(await self._books.quota(user_id, plan_id)),
                "rate": await _rate_or_none(self._books, user_id, plan_id),
                "totals": [total_view(total) for total in totals],
            }
        )

    async def events(self, request: web.Request) -> web.Response:
        principal = await self._callers.user(request)
        return await self._page(request, principal.user_id)

    async def everyones_events(self, request: web.Request) -> web.Response:
        await self._callers.admin(request)
        user_id = request.query.get("user_id")
        return await self._page(request, None if user_id is None else UserId(user_id))

    async def _page(self, request: web.Request, user_id: UserId | None) -> web.Response:
        limit, cursor = read_page(request.query, usual=USUAL_PAGE, most=MOST_ON_A_PAGE)
        try:
            events, following = await self._books.events(user_id, limit, cursor)
        except ValueError as error:
            raise BodyInvalid([FieldFault("cursor", "was not given out here")]) from error
        return web.json_response({"items": [event_view(event) for event in events], "next_cursor": following})


async def _rate_or_none(books: UsageBooks, user_id: UserId, plan_id: PlanId) -> Json | None:
    """Failure policy: only the counters know the rate; without them the rest of an answer is still true, so it is null and not an error."""
    try:
        return rate_view(await books.rate(user_id, plan_id))
    except CountersUnavailable:
        return None
