import json
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from gateway.tokens.jwks import jwks
from gateway.tokens.key_files import (
    KeyFileInvalid,
    create_key,
    key_folder,
    key_path,
    public_bytes,
    read_keys,
    thumbprint,
)
from gateway.tokens.key_ring import LEEWAY_S, PUBLISHED_BEFORE_USE_S, KeyRing, SigningKey
from gateway.tokens.published_keys import PublishedKeys, published
from gateway.tokens.rotation import rotate

LIFE_S = 3600.0
NOW = 1_795_000_000.0


def a_key(created_at: float) -> SigningKey:
    private_key = Ed25519PrivateKey.generate()
    public_key = private_key.public_key()
    return SigningKey(thumbprint(public_key), created_at, private_key, public_key)


def test_a_new_key_is_published_before_it_signs() -> None:
    old, new = a_key(NOW - 1000), a_key(NOW)
    ring = KeyRing([new, old], LIFE_S)

    assert ring.signer(NOW + 4) is old
    assert ring.signer(NOW + 5) is new
    assert [key.kid for key in ring.verifying(NOW)] == [old.kid, new.kid]


def test_the_very_first_key_signs_at_once() -> None:
    first = a_key(NOW)

    assert KeyRing([first], LIFE_S).signer(NOW) is first


def test_an_old_key_verifies_until_the_last_token_it_signed_has_expired() -> None:
    old, new = a_key(NOW - 1000), a_key(NOW)
    ring = KeyRing([old, new], LIFE_S)
    last_moment = NOW + 5 + LIFE_S + 30

    assert ring.verifier(old.kid, last_moment) is old.public_key
    assert ring.verifier(old.kid, last_moment + 1) is None
    assert ring.verifier(new.kid, last_moment + 1e9) is new.public_key


def test_the_jwks_document_holds_public_halves_only() -> None:
    key = a_key(NOW)

    (published,) = jwks([key])["keys"]  # type: ignore[misc]  # the document is a mapping of JSON values

    assert set(published) == {"kty", "crv", "use", "alg", "kid", "x"}
    assert published["kid"] == key.kid


def test_the_thumbprint_is_that_of_rfc_8037() -> None:
    """Appendix A.3 of the RFC gives the key and its thumbprint."""
    raw = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")

    assert (
        thumbprint(Ed25519PublicKey.from_public_bytes(raw)) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    )


def test_a_key_file_is_readable_by_its_owner_only_and_reads_back(tmp_path: Path) -> None:
    key = create_key(tmp_path / "keys", NOW)

    path = key_path(tmp_path / "keys", key)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [(read.kid, read.created_at) for read in read_keys(tmp_path / "keys")] == [(key.kid, NOW)]


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = key_path(tmp_path, create_key(tmp_path, NOW))
    path.chmod(0o644)

    with pytest.raises(KeyFileInvalid, match="0600"):
        read_keys(tmp_path)


def test_a_key_file_under_another_keys_name_is_refused(tmp_path: Path) -> None:
    one, other = create_key(tmp_path, NOW), create_key(tmp_path, NOW + 1)
    key_path(tmp_path, one).replace(key_path(tmp_path, other))

    with pytest.raises(KeyFileInvalid):
        read_keys(tmp_path)


def test_rotation_keeps_what_still_verifies_and_removes_what_is_past(tmp_path: Path) -> None:
    first = rotate(tmp_path, LIFE_S, NOW)
    second = rotate(tmp_path, LIFE_S, NOW + 100)
    assert (second.still_verifying, second.removed) == ((first.new,), ())

    third = rotate(tmp_path, LIFE_S, NOW + 100 + LIFE_S + 60)

    assert (third.still_verifying, third.removed) == ((second.new,), (first.new,))
    assert {key.kid for key in read_keys(key_folder(tmp_path))} == {second.new, third.new}


def test_what_is_published_to_relay_processes_verifies_as_long_as_the_ring_and_signs_nothing() -> None:
    old, new = a_key(NOW), a_key(NOW + 100)
    ring = KeyRing([old, new], LIFE_S)

    members = json.loads(json.dumps(published(ring, NOW)))
    keys = PublishedKeys.read(members)

    last_moment = NOW + 100 + PUBLISHED_BEFORE_USE_S + LIFE_S + LEEWAY_S
    for kid in (old.kid, new.kid):
        for moment in (NOW, last_moment, last_moment + 1):
            given, known = keys.verifier(kid, moment), ring.verifier(kid, moment)
            assert (given is None) == (known is None)
            assert given is None or known is None or public_bytes(given) == public_bytes(known)
    assert keys.verifier("another", NOW) is None
    assert {name for member in members for name in member} == {"kid", "x", "verifies_until"}
