"""Which signing key signs, and which ones still verify.

Rules:
- The newest key signs, but not in its first seconds: by then every process, and everyone who fetches the JWKS, has had the time to
  learn it. The very first key signs at once.
- A key verifies from the moment it exists until the last token that it signed has expired.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

PUBLISHED_BEFORE_USE_S = 5.0
LEEWAY_S = 30.0


@dataclass(frozen=True, slots=True)
class SigningKey:
    """`kid` is the JWK thumbprint (RFC 7638) of the public key; `created_at` is Unix seconds."""

    kid: str
    created_at: float
    private_key: Ed25519PrivateKey
    public_key: Ed25519PublicKey


class KeyRing:
    def __init__(self, keys: Sequence[SigningKey], token_life_s: float) -> None:
        if not keys:
            raise ValueError("a key ring needs at least one key")
        self._keys = sorted(keys, key=lambda key: (key.created_at, key.kid))
        self._by_kid = {key.kid: key for key in keys}
        self._token_life_s = token_life_s

    def signer(self, now: float) -> SigningKey:
        settled = [key for key in self._keys if key.created_at + PUBLISHED_BEFORE_USE_S <= now]
        return settled[-1] if settled else self._keys[0]

    def verifier(self, kid: str, now: float) -> Ed25519PublicKey | None:
        key = self._by_kid.get(kid)
        return key.public_key if key is not None and not self._is_past(key, now) else None

    def verifying(self, now: float) -> Sequence[SigningKey]:
        """Oldest first; never empty."""
        return [key for key in self._keys if not self._is_past(key, now)]

    def past(self, now: float) -> Sequence[SigningKey]:
        return [key for key in self._keys if self._is_past(key, now)]

    def verifies_until(self, key: SigningKey) -> float | None:
        """Unix seconds; None for the newest, which has no end yet."""
        successor = self._successor(key)
        if successor is None:
            return None
        last_signature = successor.created_at + PUBLISHED_BEFORE_USE_S
        return last_signature + self._token_life_s + LEEWAY_S

    def _is_past(self, key: SigningKey, now: float) -> bool:
        until = self.verifies_until(key)
        return until is not None and now > until

    def _successor(self, key: SigningKey) -> SigningKey | None:
        position = self._keys.index(key)
        return self._keys[position + 1] if position + 1 < len(self._keys) else None
