"""`/mod/auth/*`: signing up, in and out."""

from aiohttp import web

from gateway.accounts.email import EmailInvalid, normalise
from gateway.accounts.errors import InvalidCredentials
from gateway.accounts.sign_in import SignIn
from gateway.accounts.user import SignedIn
from gateway.accounts.users import Users
from gateway.api.bodies import Login, PasswordChange, Registration, read_body
from gateway.api.callers import Callers, client_address
from gateway.api.reports import CurrentPlans
from gateway.api.views import Json, plan_view, quota_view, user_view
from gateway.metering.usage import UsageBooks
from gateway.tokens.tokens import Tokens


class AuthHandlers:
    def __init__(self, callers: Callers, sign_in: SignIn, tokens: Tokens, plans: CurrentPlans) -> None:
        self._callers = callers
        self._sign_in = sign_in
        self._tokens = tokens
        self._plans = plans

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/mod/auth/register", self.register),
            web.post("/mod/auth/login", self.login),
            web.post("/mod/auth/logout", self.logout),
            web.post("/mod/auth/refresh", self.refresh),
            web.post("/mod/auth/password", self.change_password),
        ]

    async def register(self, request: web.Request) -> web.Response:
        body = await read_body(request, Registration)
        signed_in = await self._sign_in.register(
            normalise(body.email),
            body.name or "",
            body.password,
            self._plans().default.plan_id,
            client_address(request),
        )
        return web.json_response(self._signed_in(signed_in), status=201)

    async def login(self, request: web.Request) -> web.Response:
        body = await read_body(request, Login)
        try:
            email = normalise(body.email)
        except EmailInvalid:
            raise InvalidCredentials from None
        signed_in = await self._sign_in.login(email, body.password, client_address(request))
        return web.json_response(self._signed_in(signed_in))

    async def logout(self, request: web.Request) -> web.Response:
        caller = await self._callers.session(request)
        await self._sign_in.logout(caller.user_id, caller.session_id)
        return web.Response(status=204)

    async def refresh(self, request: web.Request) -> web.Response:
        caller = await self._callers.session(request)
        signed_in = await self._sign_in.refresh(caller.user_id, caller.session_id)
        return web.json_response(self._signed_in(signed_in))

    async def change_password(self, request: web.Request) -> web.Response:
        caller = await self._callers.session(request)
        body = await read_body(request, PasswordChange)
        await self._sign_in.change_password(
            caller.user_id,
            caller.session_id,
            body.current_password,
            body.new_password,
            client_address(request),
        )
        return web.Response(status=204)

    def _signed_in(self, signed_in: SignedIn) -> Json:
        user, session = signed_in.user, signed_in.session
        return {
            "user": user_view(user),
            "token": self._tokens.issue(user.id, user.org_id, user.plan_id, session),
            "token_type": "Bearer",
            "expires_in": int(session.expires_at - session.created_at),
        }


class MeHandlers:
    def __init__(self, callers: Callers, users: Users, books: UsageBooks, plans: CurrentPlans) -> None:
        self._callers = callers
        self._users = users
        self._books = books
        self._plans = plans

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/mod/auth/me", self.me)]

    async def me(self, request: web.Request) -> web.Response:
        principal = await self._callers.user(request)
        user = await self._users.get(principal.user_id)
        return web.json_response(
            {
                "user": user_view(user),
                "plan": plan_view(self._plans().of(user.plan_id)),
                "quota": quota_view(await self._books.quota(user.id, user.plan_id)),
            }
        )
