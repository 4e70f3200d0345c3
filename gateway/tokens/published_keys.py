"""The public halves of the signing keys, as a relay process is given them: enough to verify, nothing to sign with.

Private keys are opened by the control process alone, so that whoever takes over a process that speaks with the world cannot sign.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gateway.tokens.key_files import public_bytes
from gateway.tokens.key_ring import KeyRing


@dataclass(frozen=True, slots=True)
class PublishedKey:
    """`verifies_until` in Unix seconds, None for the newest."""

    public_key: Ed25519PublicKey
    verifies_until: float | None


@dataclass(frozen=True, slots=True)
class PublishedKeys:
    by_kid: Mapping[str, PublishedKey]

    def verifier(self, kid: str, now: float) -> Ed25519PublicKey | None:
        key = self.by_kid.get(kid)
        if key is None or (key.verifies_until is not None and now > key.verifies_until):
            return None
        return key.public_key

    @classmethod
    def read(cls, members: object) -> Self:
        """What `published` wrote. Raises TypeError, ValueError."""
        if not isinstance(members, list):
            raise TypeError("not a list of keys")
        return cls(dict(_read(member) for member in members))


def published(ring: KeyRing, now: float) -> Sequence[Mapping[str, object]]:
    """JSON values only."""
    return [
        {
            "kid": key.kid,
            "x": public_bytes(key.public_key),
            "verifies_until": ring.verifies_until(key),
        }
        for key in ring.verifying(now)
    ]


def _read(member: object) -> tuple[str, PublishedKey]:
    match member:
        case {"kid": str(kid), "x": str(x), "verifies_until": (float() | int() | None) as until}:
            raw = base64.urlsafe_b64decode(x + "=")
            return kid, PublishedKey(Ed25519PublicKey.from_public_bytes(raw), until)
        case _:
            raise TypeError("not a published key")
