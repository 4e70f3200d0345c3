"""Verifies customers' tokens for the mesh with public keys only: no secret of the gateway is on a node.

What that costs: the mesh asks nobody about sessions, so a logout (or a suspended account) at the gateway is not seen here until
the token expires. Tokens are short-lived for that reason.
"""

import hashlib
import json
from collections.abc import Awaitable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from jwt import PyJWS, PyJWTError

from shared.clock import Clock
from worker.mesh.claims import MAX_TOKEN_BYTES, Claims, check_expiry, read_claims
from worker.mesh.errors import KeysUnavailable, TokenInvalid
from worker.mesh.keys import MeshKeys

CACHE_S = 60.0
CACHE_TOKENS = 4096
ALGORITHM = "EdDSA"


@dataclass(frozen=True, slots=True)
class _Verified:
    claims: Claims
    until: float
    generation: int


class MeshTokens:
    """Remembers what it verified for a minute: an Ed25519 check costs more than the rest of a request.

    Tokens are remembered by their SHA-256, so that the memory of 4096 of them does not depend on how long they are.
    """

    def __init__(self, keys: MeshKeys, clock: Clock) -> None:
        self._keys = keys
        self._clock = clock
        self._jws = PyJWS(algorithms=[ALGORITHM])
        self._verified: dict[bytes, _Verified] = {}

    def verify(self, token: str) -> Claims | Awaitable[Claims]:
        """The claims, at once unless the key set has to be asked for first.

        Raises TokenInvalid, TokenOutOfDate, KeysUnavailable (from the call or from the awaitable).
        """
        encoded = token.encode("utf-8", "surrogateescape")
        if len(encoded) > MAX_TOKEN_BYTES:
            raise TokenInvalid
        digest = hashlib.sha256(encoded).digest()
        known = self._verified.get(digest)
        if (
            known is not None
            and known.generation == self._keys.generation
            and self._clock.monotonic() < known.until
        ):
            check_expiry(known.claims, self._clock.now())
            return known.claims
        kid = self._kid_of(encoded)
        key = self._keys.get(kid)
        if key is not None:
            return self._verify_with(key, encoded, digest)
        if self._keys.may_ask():
            return self._verify_with_new_keys(kid, encoded, digest)
        raise self._refusal()

    async def _verify_with_new_keys(self, kid: str, encoded: bytes, digest: bytes) -> Claims:
        await self._keys.learn()
        key = self._keys.get(kid)
        if key is None:
            raise self._refusal()
        return self._verify_with(key, encoded, digest)

    def _refusal(self) -> Exception:
        return TokenInvalid() if self._keys.known else KeysUnavailable()

    def _kid_of(self, encoded: bytes) -> str:
        try:
            header = self._jws.get_unverified_header(encoded)
        except (PyJWTError, ValueError, RecursionError) as error:
            raise TokenInvalid from error
        kid = header.get("kid")
        # The algorithm is checked before a key is looked for: `none` and HMAC with a public key end here.
        if header.get("alg") != ALGORITHM or not isinstance(kid, str):
            raise TokenInvalid
        return kid

    def _verify_with(self, key: Ed25519PublicKey, encoded: bytes, digest: bytes) -> Claims:
        try:
            payload = json.loads(self._jws.decode(encoded, key, algorithms=[ALGORITHM]))
        except (PyJWTError, ValueError, RecursionError) as error:
            raise TokenInvalid from error
        if not isinstance(payload, dict):
            raise TokenInvalid
        claims = read_claims(payload, self._clock.now())
        self._remember(digest, claims)
        return claims

    def _remember(self, digest: bytes, claims: Claims) -> None:
        self._verified.pop(digest, None)
        if len(self._verified) >= CACHE_TOKENS:
            del self._verified[next(iter(self._verified))]
        self._verified[digest] = _Verified(claims, self._clock.monotonic() + CACHE_S, self._keys.generation)
