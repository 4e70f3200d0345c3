"""The control app, put together."""

from collections.abc import Callable

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from gateway.accounts.accounts import Accounts
from gateway.api.admin import AdminHandlers
from gateway.api.auth import AuthHandlers, MeHandlers
from gateway.api.bodies import MAX_BODY
from gateway.api.callers import Callers
from gateway.api.keys import KeyHandlers
from gateway.api.operator import OperatorHandlers
from gateway.api.plans import PlanHandlers
from gateway.api.problems import PROBLEMS
from gateway.api.reports import CurrentPlans, Operator, Routes
from gateway.api.usage import UsageHandlers
from gateway.metering.usage import UsageBooks
from shared.clock import Clock
from shared.identity import REQUEST_ID
from shared.problem_middleware import hide_server_software, problem_middleware


def control_app(
    accounts: Accounts,
    books: UsageBooks,
    plans: CurrentPlans,
    routes: Routes,
    operator: Operator,
    clock: Clock,
    new_request_id: Callable[[], str],
) -> web.Application:
    """To be served on a private Unix socket, behind the relay.

    It reads `Authorization`, `X-API-Key` and `api_key` itself, so these must reach it; `X-Forwarded-For` must be what the director
    set, never what the client sent.
    """
    app = web.Application(
        middlewares=[_headers(new_request_id), problem_middleware(PROBLEMS, new_request_id)],
        client_max_size=MAX_BODY,
    )
    app.on_response_prepare.append(hide_server_software)
    callers = Callers(accounts.authenticator)
    app.add_routes(AuthHandlers(callers, accounts.sign_in, accounts.tokens, plans).routes())
    app.add_routes(MeHandlers(callers, accounts.users, books, plans).routes())
    app.add_routes(KeyHandlers(callers, accounts.keys, clock).routes())
    app.add_routes(PlanHandlers(callers, plans).routes())
    app.add_routes(UsageHandlers(callers, books, clock).routes())
    app.add_routes(AdminHandlers(callers, accounts.users, accounts.administration, plans, routes).routes())
    app.add_routes(OperatorHandlers(operator, accounts.tokens).routes())
    return app


def _headers(new_request_id: Callable[[], str]) -> Middleware:
    """Every answer names its request, and none is kept by a cache unless it says so itself: most of them are about one person."""

    @web.middleware
    async def add_headers(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        response.headers.setdefault(REQUEST_ID, request.headers.get(REQUEST_ID) or new_request_id())
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    return add_headers
