"""Private keys that customers bring, checked, and pairs made for them.

Facts:
- OpenSSH's own format and PEM (PKCS#1, PKCS#8, SEC 1) are what `ssh-keygen` writes.
- The fingerprint is that of `ssh-keygen -l`: SHA-256 of the public key blob, base64 without padding.
"""

import base64
import hashlib
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_ssh_private_key,
)
from typing_extensions import override

RSA_LEAST_BITS = 2048
RSA_MOST_BITS = 16_384
_CURVES = frozenset({"secp256r1", "secp384r1", "secp521r1"})
_OPENSSH = "-----BEGIN OPENSSH PRIVATE KEY-----"

Usable = Ed25519PrivateKey | EllipticCurvePrivateKey | RSAPrivateKey


class PrivateKeyUnusable(Exception):
    """This is not a private key that can be used without its owner. The message never holds any of it."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """`private_key` is in OpenSSH's format; `public_key` is a line of `authorized_keys` without comment."""

    private_key: str
    public_key: str

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.public_key)

    @override
    def __repr__(self) -> str:
        return f"KeyPair({self.fingerprint})"


def fingerprint(public_key: str) -> str:
    """`SHA256:...` of a line `type base64 [comment]`; raises ValueError."""
    blob = base64.b64decode(public_key.split()[1], validate=True)
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def make_pair() -> KeyPair:
    return _pair(Ed25519PrivateKey.generate())


def read_pair(text: str) -> KeyPair:
    """CPU-bound: an RSA key is checked. Raises PrivateKeyUnusable."""
    key = _load(text.strip().replace("\r\n", "\n").encode() + b"\n")
    match key:
        case Ed25519PrivateKey():
            return _pair(key)
        case EllipticCurvePrivateKey() if key.curve.name in _CURVES:
            return _pair(key)
        case RSAPrivateKey() if RSA_LEAST_BITS <= key.key_size <= RSA_MOST_BITS:
            return _pair(key)
        case RSAPrivateKey():
            raise PrivateKeyUnusable(
                f"is an RSA key of {key.key_size} bits; at least {RSA_LEAST_BITS} are needed"
            )
        case _:
            raise PrivateKeyUnusable("must be an Ed25519, ECDSA (P-256, P-384, P-521) or RSA key")


def _load(text: bytes) -> object:
    load = load_ssh_private_key if text.startswith(_OPENSSH.encode()) else load_pem_private_key
    try:
        return load(text, password=None)
    except TypeError as error:  # how cryptography says that a passphrase is needed
        raise PrivateKeyUnusable("has a passphrase; give a key without one") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        if b"bcrypt" in str(error).encode() or "encrypted" in str(error).lower():
            raise PrivateKeyUnusable("has a passphrase; give a key without one") from error
        raise PrivateKeyUnusable("is not a private key in OpenSSH or PEM format") from error


def _pair(key: Usable) -> KeyPair:
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return KeyPair(private.decode(), public.decode())
