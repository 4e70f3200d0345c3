"""What a token says, and how it is written (RFC 7519, RFC 8037)."""

from dataclasses import dataclass

import jwt

from gateway.accounts.principal import OrgId, PlanId, UserId
from gateway.tokens.key_ring import SigningKey

ISSUER = "apigate"
AUDIENCE = "hoster"
ALGORITHM = "EdDSA"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """`plan_id` is the plan at sign-in: a hint for whoever reads the token, never what limits are taken from."""

    user_id: UserId
    org_id: OrgId
    plan_id: PlanId
    session_id: str
    issued_at: int
    expires_at: int


def sign(key: SigningKey, claims: Claims) -> str:
    payload = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": claims.user_id,
        "orgId": claims.org_id,
        "plan": claims.plan_id,
        "sid": claims.session_id,
        "iat": claims.issued_at,
        "exp": claims.expires_at,
    }
    return jwt.encode(payload, key.private_key, ALGORITHM, headers={"kid": key.kid})
