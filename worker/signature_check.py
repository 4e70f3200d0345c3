"""Every command must be signed by Hoster. A route is protected unless it is listed here.

Rules:
- The size of the body is checked before anything of it is kept.
- A nonce is accepted once, also across a restart of the worker.
- The answer never says which of the checks failed.
"""

from collections.abc import Callable, Collection, Sequence

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from shared.clock import Clock
from shared.config import Secret
from shared.signature import HEADER, Command, SignatureInvalid, signed_at, verify
from worker.nonces import Nonces

MOST_BODY_BYTES = 1024 * 1024

HEALTH = frozenset({"/health"})
STATS = frozenset({"/stats", "/stats/stream"})
WEBHOOK = "/projects/{project_id}/webhook"
"""Has an authentication of its own; a signature of ours is checked where there is one."""
SYSTEM_LOGS = frozenset({"/system/logs", "/system/logs/stream"})


class BodyTooLarge(Exception):
    """A command has at most 1 MiB."""


def signature_middleware(
    secrets: Callable[[], Sequence[Secret]], nonces: Nonces, clock: Clock, public: Collection[str]
) -> Middleware:
    """`secrets` are those valid now (none: nothing is). `public` are path templates that GET may have without a signature."""

    @web.middleware
    async def require_signature(request: web.Request, handler: Handler) -> web.StreamResponse:
        if _is_webhook(request) and HEADER not in request.headers:
            return await handler(request)
        if (request.content_length or 0) > MOST_BODY_BYTES:
            raise BodyTooLarge(BodyTooLarge.__doc__)
        if not _is_public(request, public):
            # A chunked body is cut off at `client_max_size`, which the application sets to the same.
            command = Command(request.method, request.raw_path, await request.read())
            signature = request.headers.get(HEADER, "")
            nonce = _verified(secrets(), signature, command, clock.now())
            nonces.accept(nonce, signed_at(signature))
        return await handler(request)

    return require_signature


def _is_webhook(request: web.Request) -> bool:
    resource = request.match_info.route.resource
    return request.method == "POST" and resource is not None and resource.canonical == WEBHOOK


def _is_public(request: web.Request, public: Collection[str]) -> bool:
    resource = request.match_info.route.resource
    return request.method in {"GET", "HEAD"} and resource is not None and resource.canonical in public


def _verified(secrets: Sequence[Secret], signature: str, command: Command, now: float) -> str:
    for secret in secrets:
        try:
            return verify(secret.reveal(), signature, command, now)
        except SignatureInvalid:
            continue
    raise SignatureInvalid("no valid signature")
