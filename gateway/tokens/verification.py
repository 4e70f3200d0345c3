"""From the text of a token to its claims: once by signature, then from memory.

Rule: only texts whose signature was verified are remembered, so that strangers cannot fill the memory. Expiry is checked on each call.
"""

from typing import Final

from gateway.errors import TokenExpired
from gateway.tokens.claims import Claims
from gateway.tokens.key_ring import LEEWAY_S
from gateway.tokens.signed_claims import VerifyingKeys, signed_claims

_CAPACITY: Final = 10_000
_REMEMBERED_S: Final = 60.0


class _Verified:
    """`until` it is remembered; `expires_at` with what clocks may differ."""

    __slots__ = ("claims", "expires_at", "until")

    def __init__(self, claims: Claims, until: float) -> None:
        self.claims = claims
        self.until = until
        self.expires_at = float(claims.expires_at + LEEWAY_S)


class TokenVerifier:
    def __init__(self, keys: VerifyingKeys, capacity: int = _CAPACITY) -> None:
        self._keys = keys
        self._capacity = capacity
        self._verified: dict[str, _Verified] = {}

    def use(self, keys: VerifyingKeys) -> None:
        """What was verified with a key that is gone is verified again."""
        self._keys = keys
        self._verified.clear()

    def verify(self, text: str, now: float) -> Claims:
        """Raises InvalidToken, TokenExpired."""
        remembered = self._verified.get(text)
        if remembered is None or now >= remembered.until:
            remembered = self._remember(text, signed_claims(text, self._keys, now), now)
        if now > remembered.expires_at:
            self._verified.pop(text, None)
            raise TokenExpired
        return remembered.claims

    def _remember(self, text: str, claims: Claims, now: float) -> "_Verified":
        self._verified.pop(text, None)
        if len(self._verified) >= self._capacity:
            del self._verified[next(iter(self._verified))]
        verified = self._verified[text] = _Verified(claims, now + _REMEMBERED_S)
        return verified
