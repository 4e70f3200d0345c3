"""Signing keys on disk: one PKCS #8 file each, readable by nobody else, `<created, ms>-<kid>.pem`."""

import base64
import hashlib
import re
import stat
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from gateway.tokens.key_ring import SigningKey
from shared.durable_file import write_private

_NAME = re.compile(r"([0-9]{13})-([A-Za-z0-9_-]{43})\.pem")


class KeyFileInvalid(Exception):
    """A signing key cannot be used; the sentence says which file and why."""


def key_folder(data_dir: Path) -> Path:
    return data_dir / "keys"


def file_names(folder: Path) -> frozenset[str]:
    return frozenset(path.name for path in folder.iterdir() if _NAME.fullmatch(path.name))


def read_keys(folder: Path) -> Sequence[SigningKey]:
    """Raises KeyFileInvalid."""
    return [_read(folder / name) for name in sorted(file_names(folder))]


def create_key(folder: Path, now: float) -> SigningKey:
    """Durable, and complete from the moment that the file has its name."""
    private_key = Ed25519PrivateKey.generate()
    key = SigningKey(thumbprint(private_key.public_key()), now, private_key, private_key.public_key())
    path = key_path(folder, key)
    pem = private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_private(path, pem)
    return key


def key_path(folder: Path, key: SigningKey) -> Path:
    return folder / f"{int(key.created_at * 1000):013d}-{key.kid}.pem"


def public_bytes(key: Ed25519PublicKey) -> str:
    """The `x` member of the JWK (RFC 8037 section 2)."""
    raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def thumbprint(key: Ed25519PublicKey) -> str:
    canonical = f'{{"crv":"Ed25519","kty":"OKP","x":"{public_bytes(key)}"}}'
    return base64.urlsafe_b64encode(hashlib.sha256(canonical.encode()).digest()).rstrip(b"=").decode()


def _read(path: Path) -> SigningKey:
    name = _NAME.fullmatch(path.name)
    if name is None:
        raise KeyFileInvalid(f"{path.name} is not a name of a signing key")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise KeyFileInvalid(f"{path} can be read by others (mode {mode:04o}); it must be 0600")
    try:
        private_key = load_pem_private_key(path.read_bytes(), password=None)
    except ValueError as error:
        raise KeyFileInvalid(f"{path} is not a PKCS #8 private key") from error
    if not isinstance(private_key, Ed25519PrivateKey) or thumbprint(private_key.public_key()) != name[2]:
        raise KeyFileInvalid(f"{path} is not the Ed25519 key that its name says")
    return SigningKey(name[2], int(name[1]) / 1000, private_key, private_key.public_key())
