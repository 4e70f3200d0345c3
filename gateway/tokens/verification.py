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


class TokenVerifier:
    def __init__(self, keys: VerifyingKeys, capacity: int = _CAPACITY) -> None:
        self._keys = keys
        self._capacity = capacity
        self._verified: dict[str, tuple[Claims, float]] = {}

    def use(self, keys: VerifyingKeys) -> None:
        """What was verified with a key that is gone is verified again."""
        self._keys = keys
        self._verified.clear()

    def verify(self, text: str, now: float) -> Claims:
        """Raises InvalidToken, TokenExpired."""
        remembered = self._verified.get(text)
        if remembered is not None and now < remembered[1]:
            claims = remembered[0]
        else:
            claims = signed_claims(text, self._keys, now)
            self._remember(text, claims, now)
        if now > claims.expires_at + LEEWAY_S:
            self._verified.pop(text, None)
            raise TokenExpired
        return claims

    def _remember(self, text: str, claims: Claims, now: float) -> None:
        self._verified.pop(text, None)
        if len(self._verified) >= self._capacity:
            del self._verified[next(iter(self._verified))]
        self._verified[text] = (claims, now + _REMEMBERED_S)
