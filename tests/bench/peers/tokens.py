"""Tokens for the peers, which issue none themselves."""

import base64
import json

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

USER_ID = "user_1"
SECRET = "a-secret-for-measurements-of-32-bytes"
_CLAIMS = {
    "iss": "apigate",
    "aud": "hoster",
    "sub": USER_ID,
    "orgId": "org_1",
    "plan": "free",
    "sid": "ses_1",
    "iat": 1_700_000_000,
    "exp": 4_000_000_000,
}


def shared_secret_token() -> str:
    """HS256, for those that cannot verify Ed25519."""
    return jwt.encode(_CLAIMS, SECRET, algorithm="HS256")


def signed_token() -> tuple[str, str]:
    """EdDSA as ours are, and the key set that verifies it."""
    key = Ed25519PrivateKey.generate()
    raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    public = {"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": "one", "use": "sig"}
    public["x"] = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    return jwt.encode(_CLAIMS, key, algorithm="EdDSA", headers={"kid": "one"}), json.dumps({"keys": [public]})
