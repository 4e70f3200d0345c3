"""Secrets at rest: AES-256-GCM (NIST SP 800-38D) under a key file of this installation, bound to the row they belong to."""

import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.durable_file import write_private

_KEY_BYTES = 32
_NONCE_BYTES = 12


class VaultUnusable(Exception):
    """The key file is missing, damaged, or not the one that sealed this."""


class Vault:
    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, text: str, row: str) -> bytes:
        """`row` names the owner (`nodes/node_1/secret`); what is sealed for one row does not open for another."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, text.encode(), row.encode())

    def open(self, sealed: bytes, row: str) -> str:
        """Raises VaultUnusable."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], row.encode()).decode()
        except InvalidTag as error:
            raise VaultUnusable(
                f"{row} cannot be opened: sealed with another key, or for another row"
            ) from error


def open_vault(key_file: Path, database_file: Path) -> Vault:
    """Makes the key on the first start. A database without its key is refused: a new key could open nothing in it."""
    if not key_file.exists():
        if database_file.exists():
            raise VaultUnusable(
                f"{key_file} is missing, but {database_file} was written with it: restore the key"
            )
        write_private(key_file, secrets.token_bytes(_KEY_BYTES))
    key = key_file.read_bytes()
    if len(key) != _KEY_BYTES:
        raise VaultUnusable(f"{key_file} is damaged: {len(key)} bytes instead of {_KEY_BYTES}")
    if key_file.stat().st_mode & 0o077:
        raise VaultUnusable(f"{key_file} can be read by others: chmod 600 it")
    return Vault(key)
