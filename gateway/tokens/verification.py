"""From the text of a token to its claims: once by signature, then from memory.

Rules:
- The header decides nothing: it must be exactly `alg: EdDSA`, a `kid` of ours and perhaps `typ`. That shuts out `none`, every HMAC,
  `jku`, `jwk`, `x5u`, `crit` and whatever else would let a token choose its own key (RFC 8725 sections 3.1, 3.2, 3.10).
- Only texts whose signature was verified are remembered, so that strangers cannot fill the memory. Expiry is checked on each call.
"""

import jwt
from jwt.exceptions import InvalidTokenError
from jwt.types import Options

from gateway.accounts.principal import OrgId, PlanId, UserId
from gateway.errors import InvalidToken, TokenExpired
from gateway.tokens.claims import ALGORITHM, AUDIENCE, ISSUER, Claims
from gateway.tokens.key_ring import LEEWAY_S, KeyRing

MAX_BYTES = 8192

_CAPACITY = 10_000
_REMEMBERED_S = 60.0
_HEADER_MEMBERS = {"alg", "kid", "typ"}
# Time is checked here, against the clock that is passed in.
_OPTIONS: Options = {
    "require": ["iss", "aud", "sub", "iat", "exp"],
    "strict_aud": True,
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
}


class TokenVerifier:
    def __init__(self, ring: KeyRing, capacity: int = _CAPACITY) -> None:
        self._ring = ring
        self._capacity = capacity
        self._verified: dict[str, tuple[Claims, float]] = {}

    def use(self, ring: KeyRing) -> None:
        """What was verified with a key that is gone is verified again."""
        self._ring = ring
        self._verified.clear()

    def verify(self, text: str, now: float) -> Claims:
        """Raises InvalidToken, TokenExpired."""
        remembered = self._verified.get(text)
        if remembered is not None and now < remembered[1]:
            claims = remembered[0]
        else:
            claims = self._check_signature(text, now)
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

    def _check_signature(self, text: str, now: float) -> Claims:
        if len(text) > MAX_BYTES or not text.isascii():
            raise InvalidToken
        try:
            header = jwt.get_unverified_header(text)
            kid = header.get("kid")
            if (
                header.get("alg") != ALGORITHM
                or not header.keys() <= _HEADER_MEMBERS
                or not isinstance(kid, str)
            ):
                raise InvalidToken
            key = self._ring.verifier(kid, now)
            if key is None:
                raise InvalidToken
            payload = jwt.decode(
                text, key, algorithms=[ALGORITHM], audience=AUDIENCE, issuer=ISSUER, options=_OPTIONS
            )
        except (InvalidTokenError, RecursionError):  # a header nested a thousand deep breaks the JSON parser
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
        } if not isinstance(issued_at, bool) and not isinstance(expires_at, bool):
            not_before = payload.get("nbf", issued_at)
            if not isinstance(not_before, int) or max(not_before, issued_at) > now + LEEWAY_S:
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
