"""What a token says, when its signature is one of ours.

Rules:
- A text that could be read in two ways is refused (see `compact_form`).
- The header decides nothing: it must be exactly `alg: EdDSA`, a `kid` of ours and perhaps `typ`. That shuts out `none`, every HMAC,
  `jku`, `jwk`, `x5u`, `crit` and whatever else would let a token choose its own key (RFC 8725 sections 3.1, 3.2, 3.10).
"""

from typing import Protocol, TypeGuard

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from jwt.exceptions import InvalidTokenError
from jwt.types import Options

from gateway.accounts.principal import OrgId, PlanId, UserId
from gateway.errors import InvalidToken
from gateway.tokens.claims import ALGORITHM, AUDIENCE, ISSUER, Claims
from gateway.tokens.compact_form import NotCompact, header_and_payload
from gateway.tokens.key_ring import LEEWAY_S

MAX_BYTES = 8192

_LAST_MOMENT = 2**53
_HEADER_MEMBERS = {"alg", "kid", "typ"}
# Time is checked here, against the clock that is passed in.
_OPTIONS: Options = {
    "require": ["iss", "aud", "sub", "iat", "exp"],
    "strict_aud": True,
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
}


class VerifyingKeys(Protocol):
    def verifier(self, kid: str, now: float) -> Ed25519PublicKey | None:
        """None for a key that is not ours, or not any more."""


def signed_claims(text: str, keys: VerifyingKeys, now: float) -> Claims:
    """Raises InvalidToken. Expiry is not looked at."""
    if len(text) > MAX_BYTES:
        raise InvalidToken
    try:
        header, _ = header_and_payload(text)
        kid = header.get("kid")
        if header.get("alg") != ALGORITHM or not header.keys() <= _HEADER_MEMBERS or not isinstance(kid, str):
            raise InvalidToken
        key = keys.verifier(kid, now)
        if key is None:
            raise InvalidToken
        payload = jwt.decode(
            text, key, algorithms=[ALGORITHM], audience=AUDIENCE, issuer=ISSUER, options=_OPTIONS
        )
    except (InvalidTokenError, NotCompact):
        raise InvalidToken from None
    return _claims(payload, now)


def _claims(payload: dict[str, object], now: float) -> Claims:
    """Ours are always complete and well typed; a signature alone does not make a payload one of ours."""
    match payload:
        case {
            "sub": str(user_id),
            "orgId": str(org_id),
            "plan": str(plan_id),
            "sid": str(session_id),
            "iat": int(issued_at),
            "exp": int(expires_at),
        } if _is_moment(issued_at) and _is_moment(expires_at):
            not_before = payload.get("nbf", issued_at)
            if not _is_moment(not_before) or max(not_before, issued_at) > now + LEEWAY_S:
                raise InvalidToken
            return Claims(
                user_id=UserId(user_id),
                org_id=OrgId(org_id),
                plan_id=PlanId(plan_id),
                session_id=session_id,
                issued_at=issued_at,
                expires_at=expires_at,
            )
    raise InvalidToken


def _is_moment(value: object) -> TypeGuard[int]:
    """Whole Unix seconds that a clock can show; `true` is an int in Python, and no moment."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LAST_MOMENT
