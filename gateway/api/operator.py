"""`/health`, `/stats`, `/metrics` and the JWKS document."""

import hmac

from aiohttp import web

from gateway.api.callers import is_loopback
from gateway.api.reports import Operator
from gateway.errors import InvalidToken, MissingCredentials
from gateway.tokens.tokens import Tokens


class OperatorHandlers:
    def __init__(self, operator: Operator, tokens: Tokens) -> None:
        self._operator = operator
        self._tokens = tokens

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/health", self.health),
            web.get("/stats", self.stats),
            web.get("/metrics", self.metrics),
            web.get("/.well-known/jwks.json", self.jwks),
        ]

    async def health(self, _request: web.Request) -> web.Response:
        health = await self._operator.health.health()
        body = {
            "status": "draining" if health.draining else "ok",
            "upstreams": dict(health.upstreams),
            "counters": health.counters,
        }
        return web.json_response(body, status=503 if health.draining else 200)

    async def stats(self, request: web.Request) -> web.Response:
        self._require_operator(request)
        return web.json_response(dict(await self._operator.stats.stats()))

    async def metrics(self, request: web.Request) -> web.Response:
        self._require_operator(request)
        body = await self._operator.stats.metrics()
        return web.Response(body=body, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    async def jwks(self, _request: web.Request) -> web.Response:
        # Short: who meets an unknown `kid` fetches again anyway, and a removed key must not be believed for long.
        return web.json_response(self._tokens.jwks(), headers={"Cache-Control": "public, max-age=60"})

    def _require_operator(self, request: web.Request) -> None:
        if is_loopback(request):
            return
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not text:
            raise MissingCredentials
        token = self._operator.token
        if token is None or not hmac.compare_digest(
            text.strip().encode("utf-8", "surrogateescape"), token.reveal()
        ):
            raise InvalidToken
