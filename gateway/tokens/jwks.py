"""The JWKS document (RFC 7517 section 5): the public halves of all keys that verify."""

from collections.abc import Mapping, Sequence

from gateway.tokens.claims import ALGORITHM
from gateway.tokens.key_files import public_bytes
from gateway.tokens.key_ring import SigningKey


def jwks(keys: Sequence[SigningKey]) -> Mapping[str, object]:
    return {
        "keys": [
            {
                "kty": "OKP",
                "crv": "Ed25519",
                "use": "sig",
                "alg": ALGORITHM,
                "kid": key.kid,
                "x": public_bytes(key.public_key),
            }
            for key in keys
        ]
    }
