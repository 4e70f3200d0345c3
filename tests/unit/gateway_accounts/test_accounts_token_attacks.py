"""Tokens that were not issued here, in every way that is known to have worked somewhere."""

import base64
import hashlib
import hmac
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.accounts.principal import OrgId, PlanId, UserId
from gateway.errors import InvalidToken, TokenExpired
from gateway.tokens.claims import Claims, sign
from gateway.tokens.key_files import public_bytes, thumbprint
from gateway.tokens.key_ring import KeyRing, SigningKey
from gateway.tokens.verification import TokenVerifier

NOW = 1_795_000_000.0
LIFE_S = 3600.0


def a_key(created_at: float = 0.0) -> SigningKey:
    private_key = Ed25519PrivateKey.generate()
    public_key = private_key.public_key()
    return SigningKey(thumbprint(public_key), created_at, private_key, public_key)


KEY = a_key()
PUBLIC_PEM = KEY.public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
CLAIMS = Claims(
    user_id=UserId("user_1"),
    org_id=OrgId("org_1"),
    plan_id=PlanId("free"),
    session_id="sess_1",
    issued_at=int(NOW),
    expires_at=int(NOW + LIFE_S),
)
PAYLOAD: dict[str, Any] = {
    "iss": "apigate",
    "aud": "hoster",
    "sub": "user_1",
    "orgId": "org_1",
    "plan": "free",
    "sid": "sess_1",
    "iat": int(NOW),
    "exp": int(NOW + LIFE_S),
}


def part(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def signed_by_us(payload: dict[str, Any], **header: Any) -> str:
    return jwt.encode(payload, KEY.private_key, "EdDSA", headers={"kid": KEY.kid, **header})


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in PAYLOAD.items() if key != name}


def hmac_with_the_public_key(secret: bytes) -> str:
    text = f"{part({'alg': 'HS256', 'kid': KEY.kid})}.{part(PAYLOAD)}"
    digest = hmac.new(secret, text.encode(), hashlib.sha256).digest()
    return f"{text}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def tampered() -> str:
    head, _, signature = sign(KEY, CLAIMS).split(".")
    return f"{head}.{part({**PAYLOAD, 'sub': 'user_2'})}.{signature}"


def foreign(kid: str) -> str:
    return jwt.encode(PAYLOAD, a_key().private_key, "EdDSA", headers={"kid": kid})


def jwk_in_the_header() -> str:
    stranger = a_key()
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": public_bytes(stranger.public_key)}
    return jwt.encode(PAYLOAD, stranger.private_key, "EdDSA", headers={"kid": KEY.kid, "jwk": jwk})


def header_of(content: bytes) -> str:
    _, payload, signature = sign(KEY, CLAIMS).split(".")
    return f"{base64.urlsafe_b64encode(content).rstrip(b'=').decode()}.{payload}.{signature}"


def in_our_name(header: str, payload: str) -> str:
    """Signed with our key, byte for byte as given: what no JSON library would write."""
    parts = [base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode() for text in (header, payload)]
    signature = KEY.private_key.sign(".".join(parts).encode())
    return ".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=").decode()])


HEADER_TEXT = json.dumps({"alg": "EdDSA", "kid": KEY.kid})
PAYLOAD_TEXT = json.dumps(PAYLOAD)


def with_exp(exp: str) -> str:
    return in_our_name(HEADER_TEXT, json.dumps(without("exp"))[:-1] + f', "exp": {exp}}}')


ATTACKS = {
    "a claim twice": in_our_name(HEADER_TEXT, '{"sub": "user_2", ' + PAYLOAD_TEXT[1:]),
    "a claim twice, the second time escaped": in_our_name(
        HEADER_TEXT, PAYLOAD_TEXT[:-1] + ', "s\\u0075b": "user_2"}'
    ),
    "exp twice": in_our_name(HEADER_TEXT, '{"exp": 1, ' + PAYLOAD_TEXT[1:]),
    "a claim twice, further in": in_our_name(HEADER_TEXT, PAYLOAD_TEXT[:-1] + ', "more": {"a": 1, "a": 2}}'),
    "alg twice": in_our_name('{"alg": "none", ' + HEADER_TEXT[1:], PAYLOAD_TEXT),
    "kid twice": in_our_name('{"kid": "x", ' + HEADER_TEXT[1:], PAYLOAD_TEXT),
    "exp not a number": with_exp("NaN"),
    "exp without end": with_exp("Infinity"),
    "exp a fraction": with_exp(str(NOW + 0.5)),
    "exp of four hundred digits": with_exp("9" * 400),
    "exp of five thousand digits": with_exp("9" * 5000),
    "exp beyond any clock": with_exp("1e400"),
    "exp null": with_exp("null"),
    "exp before time began": with_exp("-1"),
    "a byte order mark": in_our_name(HEADER_TEXT, "\ufeff" + PAYLOAD_TEXT),
    "four parts": sign(KEY, CLAIMS) + ".x",
    "padded": sign(KEY, CLAIMS) + "==",
    "empty": "",
    "not a token": "x",
    "three empty parts": "..",
    "not ascii": sign(KEY, CLAIMS) + "é",
    "alg none, no signature": f"{part({'alg': 'none', 'kid': KEY.kid})}.{part(PAYLOAD)}.",
    "alg None, in capitals": f"{part({'alg': 'NONE', 'kid': KEY.kid})}.{part(PAYLOAD)}.",
    "HS256 with the public key in PEM": hmac_with_the_public_key(PUBLIC_PEM),
    "HS256 with the raw public key": hmac_with_the_public_key(
        KEY.public_key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    ),
    "a stranger's kid": foreign("someone-else"),
    "our kid, a stranger's key": foreign(KEY.kid),
    "a path as kid": foreign("../../etc/passwd"),
    "no kid": jwt.encode(PAYLOAD, KEY.private_key, "EdDSA"),
    "jwk in the header": jwk_in_the_header(),
    "jku": signed_by_us(PAYLOAD, jku="https://evil.example/jwks.json"),
    "x5u": signed_by_us(PAYLOAD, x5u="https://evil.example/cert.pem"),
    "crit": signed_by_us(PAYLOAD, crit=["exp"]),
    "b64 with crit": signed_by_us(PAYLOAD, b64=False, crit=["b64"]),
    "wrong aud": signed_by_us({**PAYLOAD, "aud": "someone"}),
    "a list of aud": signed_by_us({**PAYLOAD, "aud": ["hoster", "someone"]}),
    "no aud": signed_by_us(without("aud")),
    "wrong iss": signed_by_us({**PAYLOAD, "iss": "someone"}),
    "no iss": signed_by_us(without("iss")),
    "no exp": signed_by_us(without("exp")),
    "exp as text": signed_by_us({**PAYLOAD, "exp": str(int(NOW + LIFE_S))}),
    "exp as true": signed_by_us({**PAYLOAD, "exp": True}),
    "no sub": signed_by_us(without("sub")),
    "no sid": signed_by_us(without("sid")),
    "no orgId": signed_by_us(without("orgId")),
    "issued in the future": signed_by_us({**PAYLOAD, "iat": int(NOW + 60)}),
    "not valid yet": signed_by_us({**PAYLOAD, "nbf": int(NOW + 60)}),
    "oversize": signed_by_us({**PAYLOAD, "more": "x" * 8192}),
    "tampered": tampered(),
    "signature cut off": sign(KEY, CLAIMS).rsplit(".", 1)[0] + ".",
    "a header nested too deep": header_of(b"[" * 5000),
    "a header that is a list": header_of(b"[]"),
}


@pytest.fixture
def verifier() -> TokenVerifier:
    return TokenVerifier(KeyRing([KEY], LIFE_S))


@pytest.mark.parametrize("token", ATTACKS.values(), ids=ATTACKS.keys())
def test_a_token_that_is_not_exactly_one_of_ours_is_refused(verifier: TokenVerifier, token: str) -> None:
    with pytest.raises(InvalidToken):
        verifier.verify(token, NOW)

    # Nothing of a refused token may be remembered.
    with pytest.raises(InvalidToken):
        verifier.verify(token, NOW)


def test_our_own_token_is_accepted_with_its_claims(verifier: TokenVerifier) -> None:
    assert verifier.verify(sign(KEY, CLAIMS), NOW) == CLAIMS
    assert verifier.verify(signed_by_us(PAYLOAD), NOW) == CLAIMS


def test_expiry_has_thirty_seconds_of_leeway_and_is_checked_on_remembered_tokens_too(
    verifier: TokenVerifier,
) -> None:
    token = sign(KEY, CLAIMS)
    assert verifier.verify(token, NOW + LIFE_S + 29) == CLAIMS

    with pytest.raises(TokenExpired):
        verifier.verify(token, NOW + LIFE_S + 31)


def test_a_token_is_remembered_for_a_minute_and_no_longer() -> None:
    """Whether the signature was checked is seen by taking the key away."""
    ring = KeyRing([KEY], LIFE_S)
    verifier = TokenVerifier(ring)
    token = sign(KEY, CLAIMS)
    verifier.verify(token, NOW)
    del ring._by_kid[KEY.kid]

    assert verifier.verify(token, NOW + 59) == CLAIMS
    with pytest.raises(InvalidToken):
        verifier.verify(token, NOW + 60)


def test_memory_for_verified_tokens_is_bounded_and_the_oldest_goes_first() -> None:
    verifier = TokenVerifier(KeyRing([KEY], LIFE_S), capacity=2)
    tokens = [signed_by_us({**PAYLOAD, "sid": f"sess_{number}"}) for number in range(3)]
    for token in tokens:
        verifier.verify(token, NOW)

    assert list(verifier._verified) == tokens[1:]


def test_a_key_that_was_taken_away_verifies_nothing_from_memory_either(verifier: TokenVerifier) -> None:
    token = sign(KEY, CLAIMS)
    verifier.verify(token, NOW)

    verifier.use(KeyRing([a_key()], LIFE_S))

    with pytest.raises(InvalidToken):
        verifier.verify(token, NOW)
