"""`Idempotency-Key` on POST: the first answer is kept and given again, and whoever repeats a request changes nothing.

Facts:
- draft-ietf-httpapi-idempotency-key-header, on errors: a key with another payload is 422, one whose first request is not
  answered yet is 409. What is asked here takes milliseconds, so the second request first waits a little for the answer of the
  first, and most clients get what they want; 409 is for the rest.

Rules:
- Only a final answer is kept. After an error of ours (5xx), and after a refusal that says when to come back (`Retry-After`), the same
  key tries again: nothing was done.
- What is given again carries no `X-Event-Type`, so that it is never billed.
- When Hoster ended between performing an operation and keeping its answer, the operation's own record answers. So it does when the
  answer could not be kept, which takes it from nobody who waits for it now.
"""

import asyncio
import hashlib
from dataclasses import replace

import structlog
from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware

from hoster.access import Handler
from hoster.billing.store import BillingStore
from hoster.bodies import BodyInvalid
from hoster.idempotency.store import Asked, Claimed, IdempotencyStore, Stored
from hoster.viewer import VIEWER, Viewer
from shared.database import PASSING

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
KEY_MOST = 255
WAIT_S = 5.0

_LOOK_EVERY_S = 0.05
_KEPT_HEADERS = (hdrs.CONTENT_TYPE, hdrs.LOCATION, hdrs.ETAG, hdrs.CACHE_CONTROL)

_log = structlog.get_logger("idempotency")


class IdempotencyKeyInUse(Exception):
    """The first request under this key has not been answered yet."""


def idempotency_middleware(
    store: IdempotencyStore, billing: BillingStore, wait_s: float = WAIT_S
) -> Middleware:
    """To be put after the identity is known, and before what turns errors into answers: those are kept too."""

    @web.middleware
    async def once(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method != hdrs.METH_POST or HEADER not in request.headers or VIEWER not in request:
            return await handler(request)
        asked = await _asked(request)
        claim = await _claim(store, asked, wait_s)
        if isinstance(claim, Stored):
            return _replay(claim)
        return await _perform(request, handler, asked, claim)

    async def _perform(
        request: web.Request, handler: Handler, asked: Asked, claim: Claimed
    ) -> web.StreamResponse:
        answer: Stored | None = None
        try:
            performed = await _performed_before(request, asked, claim)
            response = await handler(request)
            if isinstance(response, web.Response) and _is_final(response):
                answer = _kept(response)
                if performed:
                    response = _replay(answer)
        finally:
            await asyncio.shield(_end(store, asked, answer))
        return response

    async def _performed_before(request: web.Request, asked: Asked, claim: Claimed) -> bool:
        """Asks again under the first request's id when there is a record of it, for then the record answers."""
        if claim.abandoned_request_id is None:
            return False
        if await billing.find(claim.abandoned_request_id) is None:
            await store.begin_anew(asked)
            return False
        viewer: Viewer = request[VIEWER]
        request[VIEWER] = replace(viewer, request_id=claim.abandoned_request_id)
        return True

    return once


async def _end(store: IdempotencyStore, asked: Asked, answer: Stored | None) -> None:
    """Failure policy: see the last rule."""
    try:
        await (store.let_go(asked) if answer is None else store.keep(asked, answer))
    except PASSING as passing:
        _log.warning("answer_not_kept", request_id=asked.request_id, reason=str(passing))


async def _asked(request: web.Request) -> Asked:
    """Raises BodyInvalid."""
    keys = request.headers.getall(HEADER)
    key = keys[0]
    if len(keys) > 1 or not (0 < len(key) <= KEY_MOST and key.isascii() and key.isprintable()):
        raise BodyInvalid.of(HEADER, f"must be given once, with 1 to {KEY_MOST} printable ASCII characters")
    viewer: Viewer = request[VIEWER]
    path, _, query = request.raw_path.partition("?")
    return Asked(
        user_id=viewer.user_id,
        key=key,
        method=request.method,
        path=path,
        digest=hashlib.sha256(query.encode() + b"\n" + await request.read()).hexdigest(),
        request_id=viewer.request_id,
    )


async def _claim(store: IdempotencyStore, asked: Asked, wait_s: float) -> Claimed | Stored:
    """Raises IdempotencyKeyReused, or IdempotencyKeyInUse when the first answer did not come in time."""
    try:
        async with asyncio.timeout(wait_s):
            while True:
                claim = await store.claim(asked)
                if isinstance(claim, Claimed | Stored):
                    return claim
                await asyncio.sleep(_LOOK_EVERY_S)
    except TimeoutError:
        raise IdempotencyKeyInUse from None


def _is_final(response: web.Response) -> bool:
    return response.status < 500 and hdrs.RETRY_AFTER not in response.headers


def _kept(response: web.Response) -> Stored:
    headers = {str(name): response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    return Stored(response.status, headers, response.text or "")


def _replay(answer: Stored) -> web.Response:
    return web.Response(
        status=answer.status, body=answer.body.encode(), headers={**answer.headers, REPLAYED: "true"}
    )
