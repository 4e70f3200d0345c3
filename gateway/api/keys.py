"""`/mod/keys`: API keys."""

from aiohttp import web

from gateway.accounts.api_keys import ApiKeys
from gateway.accounts.user import KeyId
from gateway.api.bodies import BodyInvalid, NewKey, read_body
from gateway.api.callers import Callers
from gateway.api.views import key_view
from shared.clock import Clock
from shared.problem import FieldFault


class KeyHandlers:
    def __init__(self, callers: Callers, keys: ApiKeys, clock: Clock) -> None:
        self._callers = callers
        self._keys = keys
        self._clock = clock

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/mod/keys", self.list_keys),
            web.post("/mod/keys", self.create),
            web.delete("/mod/keys/{id}", self.delete),
        ]

    async def list_keys(self, request: web.Request) -> web.Response:
        principal = await self._callers.user(request)
        keys = await self._keys.of_user(principal.user_id)
        return web.json_response({"items": [key_view(key) for key in keys], "next_cursor": None})

    async def create(self, request: web.Request) -> web.Response:
        caller = await self._callers.session(request)
        body = await read_body(request, NewKey)
        expires_at = body.expires_at.timestamp() if body.expires_at else None
        if expires_at is not None and expires_at <= self._clock.now():
            raise BodyInvalid([FieldFault("expires_at", "must be in the future")])
        record, key = await self._keys.create(caller.user_id, body.name, expires_at)
        return web.json_response({**key_view(record), "key": key}, status=201)

    async def delete(self, request: web.Request) -> web.Response:
        caller = await self._callers.session(request)
        await self._keys.delete(caller.user_id, KeyId(request.match_info["id"]))
        return web.Response(status=204)
