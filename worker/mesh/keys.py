"""The gateway's public keys (JWKS, RFC 7517): fetched at start, every five minutes, and when a token names a new one.

Failure policy: while the gateway is away the last good set stays in use; a set without one usable key counts as a failure.
"""

import asyncio
import json
from collections.abc import Mapping

import aiohttp
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from jwt import PyJWK, PyJWTError

from shared.clock import Clock

REFRESH_EVERY_S = 300.0
FIRST_RETRY_S = 0.5
"""While there is no set at all: worker and gateway are often started together."""
RETRY_EVERY_S = 5.0
"""Also the least time between two fetches, whatever kids strangers write into their tokens."""
FETCH_DEADLINE_S = 5.0


class KeySetInvalid(Exception):
    """What the JWKS address answers is not a set of Ed25519 keys."""


class MeshKeys:
    """`generation` changes with the set, so that what was verified with a withdrawn key can be forgotten."""

    def __init__(self, url: str, session: aiohttp.ClientSession, clock: Clock) -> None:
        self._url = url
        self._session = session
        self._clock = clock
        self._keys: Mapping[str, Ed25519PublicKey] = {}
        self._turn = asyncio.Lock()
        self._asked_at: float | None = None
        self._failing = ""
        self._log = structlog.get_logger("mesh.keys")
        self.generation = 0

    @property
    def known(self) -> bool:
        return bool(self._keys)

    def get(self, kid: str) -> Ed25519PublicKey | None:
        return self._keys.get(kid)

    def may_ask(self) -> bool:
        """Whether `learn` could find something new now: a fetch is under way, or the last one is long enough ago."""
        return self._turn.locked() or self._is_due()

    async def learn(self) -> None:
        """Fetches the set unless that was done a moment ago; those who wait together share one fetch. Never raises for a fault."""
        async with self._turn:
            if self._is_due():
                self._asked_at = self._clock.monotonic()
                await self._fetch()

    async def run(self) -> None:
        """The background job."""
        while True:
            await self.learn()
            await asyncio.sleep(REFRESH_EVERY_S if self.known else FIRST_RETRY_S)

    def _is_due(self) -> bool:
        pause = RETRY_EVERY_S if self.known else FIRST_RETRY_S
        return self._asked_at is None or self._clock.monotonic() - self._asked_at >= pause

    async def _fetch(self) -> None:
        try:
            async with asyncio.timeout(FETCH_DEADLINE_S), self._session.get(self._url) as response:
                response.raise_for_status()
                body = await response.read()
            keys = read_key_set(body)
        except (aiohttp.ClientError, TimeoutError, OSError, KeySetInvalid) as error:
            self._tell_failure(type(error).__name__)
            return
        self._failing = ""
        if keys.keys() != self._keys.keys():
            self._log.info("mesh_keys_changed", kids=sorted(keys))
        self._keys = keys
        self.generation += 1

    def _tell_failure(self, reason: str) -> None:
        """Once for each change, not at every retry."""
        if reason != self._failing:
            self._failing = reason
            self._log.warning("mesh_keys_not_refreshed", url=self._url, reason=reason, kept=len(self._keys))


def read_key_set(body: bytes) -> dict[str, Ed25519PublicKey]:
    """Keys by `kid`; members of other kinds are left out. Raises KeySetInvalid."""
    try:
        document = json.loads(body)
    except ValueError as error:
        raise KeySetInvalid("not JSON") from error
    members = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(members, list):
        raise KeySetInvalid("no member `keys`")
    keys = {member["kid"]: key for member in members if (key := _ed25519(member)) is not None}
    if not keys:
        raise KeySetInvalid("no Ed25519 key with a kid")
    return keys


def _ed25519(member: object) -> Ed25519PublicKey | None:
    if not isinstance(member, dict) or member.get("kty") != "OKP" or not isinstance(member.get("kid"), str):
        return None
    try:
        key = PyJWK(member, algorithm="EdDSA").key
    except PyJWTError:
        return None
    return key if isinstance(key, Ed25519PublicKey) else None
