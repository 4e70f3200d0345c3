"""Every command must be signed by Hoster. A route is protected unless it is listed here.

Rules:
- The size of the body is checked before anything of it is kept.
- A nonce is accepted once, also across a restart of the worker: it is stored for as long as its signature could be valid.
- The answer never says which of the checks failed.
"""

import sqlite3
from collections.abc import Callable, Collection, Sequence

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from shared.clock import Clock
from shared.config import Secret
from shared.database import Database
from shared.signature import HEADER, WINDOW_S, Command, SignatureInvalid, verify

MOST_BODY_BYTES = 1024 * 1024

HEALTH = frozenset({"/health"})
STATS = frozenset({"/stats", "/stats/stream"})
SYSTEM_LOGS = frozenset({"/system/logs", "/system/logs/stream"})

_SWEEP_EVERY_S = 60.0


class BodyTooLarge(Exception):
    """A command has at most 1 MiB."""


class Nonces:
    """Which nonces were used, in the worker's database.

    It cannot forget inside the window, and it cannot grow without bound: only commands with a valid signature get here, and
    they expire.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._swept_at = 0.0

    async def accept(self, nonce: str) -> None:
        """Raises SignatureInvalid for one that was used already."""
        now = self._clock.now()
        # A signature may be dated up to a window ahead of our clock, and is then valid for two.
        expires_at = now + 2 * WINDOW_S + 1
        async with self._database.transaction() as writer:
            if now - self._swept_at >= _SWEEP_EVERY_S:
                await writer.execute("DELETE FROM nonces WHERE expires_at < ?", (now,))
                self._swept_at = now
            try:
                await writer.execute(
                    "INSERT INTO nonces (nonce, expires_at) VALUES (?, ?)", (nonce, expires_at)
                )
            except sqlite3.IntegrityError:
                raise SignatureInvalid("this command was sent before") from None


def signature_middleware(
    secrets: Callable[[], Sequence[Secret]], nonces: Nonces, clock: Clock, public: Collection[str]
) -> Middleware:
    """`secrets` are those valid now (none: nothing is). `public` are path templates that GET may have without a signature."""

    @web.middleware
    async def require_signature(request: web.Request, handler: Handler) -> web.StreamResponse:
        if (request.content_length or 0) > MOST_BODY_BYTES:
            raise BodyTooLarge(BodyTooLarge.__doc__)
        if not _is_public(request, public):
            # A chunked body is cut off at `client_max_size`, which the application sets to the same.
            command = Command(request.method, request.raw_path, await request.read())
            signature = request.headers.get(HEADER, "")
            await nonces.accept(_verified(secrets(), signature, command, clock.now()))
        return await handler(request)

    return require_signature


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
