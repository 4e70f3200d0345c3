"""Route of webhooks: parse, call, respond. It authenticates by itself, because git hosts cannot sign as Hoster does."""

import asyncio
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

from aiohttp import web

from shared.signature import HEADER
from worker.projects.api import project_id_in
from worker.signature_check import MOST_BODY_BYTES, WEBHOOK, BodyTooLarge
from worker.webhooks.push import Ignored
from worker.webhooks.receiver import Queued, Webhook, WebhookReceiver

MOST_WEBHOOK_BYTES = 25 * 1024 * 1024
"""GitHub's own limit."""
LARGE_AT_ONCE = 2
"""How many bodies above the ordinary limit are taken in at once: their senders are not known yet."""
BODY_DEADLINE_S = 30.0


class WebhookRoutes:
    def __init__(self, receiver: WebhookReceiver) -> None:
        self._receiver = receiver
        self._large = asyncio.Semaphore(LARGE_AT_ONCE)

    def add_to(self, app: web.Application) -> None:
        app.add_routes([web.post(WEBHOOK, self.receive)])

    async def receive(self, request: web.Request) -> web.Response:
        project_id = project_id_in(request)
        # What carries our own signature and got here was verified on its way.
        commanded = HEADER in request.headers
        body = await request.read() if commanded else await self._body(request)
        webhook = Webhook(headers=request.headers, body=body, commanded=commanded)
        outcome = await self._receiver.receive(project_id, webhook)
        if isinstance(outcome, Queued):
            queued = {"status": "queued", "deploy_id": outcome.deploy_id, "commit": outcome.commit or None}
            return web.json_response(queued, status=202)
        ignored: dict[str, Any] = {"status": "ignored"}
        if isinstance(outcome, Ignored):
            return web.json_response({**ignored, "reason": outcome.reason})
        repeated = "this delivery was received before"
        return web.json_response({**ignored, "reason": repeated, "deploy_id": outcome.deploy_id})

    async def _body(self, request: web.Request) -> bytes:
        """Raises BodyTooLarge; TimeoutError ends in 408."""
        announced = MOST_WEBHOOK_BYTES if request.content_length is None else request.content_length
        if announced > MOST_WEBHOOK_BYTES:
            raise BodyTooLarge("A webhook has at most 25 MiB.")
        turn: AbstractAsyncContextManager[object] = (
            self._large if announced > MOST_BODY_BYTES else nullcontext()
        )
        body = bytearray()
        try:
            async with asyncio.timeout(BODY_DEADLINE_S), turn:
                async for octets in request.content.iter_any():
                    body += octets
                    if len(body) > MOST_WEBHOOK_BYTES:
                        raise BodyTooLarge("A webhook has at most 25 MiB.")
        except TimeoutError:
            raise web.HTTPRequestTimeout from None
        return bytes(body)
