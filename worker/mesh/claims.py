"""What a mesh token says, once its signature has been verified, and the rules that it must satisfy.

Facts (RFC 7519, RFC 8725): the algorithm is ours to choose, never the token's; `exp` is required here; `aud` and `iss` are bound.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from worker.mesh.errors import TokenInvalid, TokenOutOfDate

ISSUER = "apigate"
AUDIENCE = "hoster"
LEEWAY_S = 30.0
MAX_TOKEN_BYTES = 8 * 1024

# Ids become header values, so nothing that could end a field is let in.
_ID = re.compile(r"[\x21-\x7e]{1,256}")


@dataclass(frozen=True, slots=True)
class Claims:
    """`user_id` is empty for a token without a subject. `expires_at` is Unix seconds, without leeway."""

    user_id: str
    org_id: str
    expires_at: float


def read_claims(payload: Mapping[str, object], now: float) -> Claims:
    """Raises TokenInvalid and TokenOutOfDate."""
    audience = payload.get("aud")
    if payload.get("iss") != ISSUER or AUDIENCE not in (
        audience if isinstance(audience, list) else [audience]
    ):
        raise TokenInvalid
    expires_at = _number(payload.get("exp"))
    if _number(payload.get("nbf", 0)) > now + LEEWAY_S:
        raise TokenInvalid
    claims = Claims(_id(payload.get("sub", ""), empty=True), _id(payload.get("orgId")), expires_at)
    check_expiry(claims, now)
    return claims


def check_expiry(claims: Claims, now: float) -> None:
    """Raises TokenOutOfDate; also asked of every cached token."""
    if now > claims.expires_at + LEEWAY_S:
        raise TokenOutOfDate


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TokenInvalid
    return float(value)


def _id(value: object, *, empty: bool = False) -> str:
    if not isinstance(value, str) or not (_ID.fullmatch(value) or (empty and not value)):
        raise TokenInvalid
    return value
