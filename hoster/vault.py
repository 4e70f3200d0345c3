"""Secrets at rest: AES-256-GCM (NIST SP 800-38D) under a key file of this installation, bound to the row they belong to.

While keys are rotated there are several: what is sealed is sealed with the newest, and any of them opens.
"""

import hashlib
import hmac
import secrets
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12


class VaultUnusable(Exception):
    """The key file is missing, damaged, or not the one that sealed this."""


class Vault:
    def __init__(self, *keys: bytes) -> None:
        """Newest first; at least one."""
        self._keys: list[bytes] = []
        self._ciphers: list[AESGCM] = []
        self.learn(keys)

    def learn(self, keys: Sequence[bytes]) -> None:
        """From now on the first of `keys` seals. What was known before still opens, for as long as this process lives."""
        former = [key for key in self._keys if key not in keys]
        self._keys = [*keys, *former]
        self._ciphers = [AESGCM(key) for key in self._keys]

    def seal(self, text: str, row: str) -> bytes:
        """`row` names the owner (`nodes/node_1/secret`); what is sealed for one row does not open for another."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._ciphers[0].encrypt(nonce, text.encode(), row.encode())

    def open(self, sealed: bytes, row: str) -> str:
        """Raises VaultUnusable."""
        return self._open(sealed, row)[0].decode()

    def resealed(self, sealed: bytes, row: str) -> bytes:
        """Under the newest key; as it is when that sealed it. Raises VaultUnusable.

        Equal bytes become equal bytes: the nonce is derived from what was sealed before, so that copies of one value can still be
        told to be copies. Different values never share a nonce, because it is a keyed hash of all of the old bytes and the row.
        """
        text, position = self._open(sealed, row)
        if position == 0:
            return sealed
        nonce = hmac.digest(self._keys[0], row.encode() + b"\0" + sealed, hashlib.sha256)[:_NONCE_BYTES]
        return nonce + self._ciphers[0].encrypt(nonce, text, row.encode())

    def _open(self, sealed: bytes, row: str) -> tuple[bytes, int]:
        """With the position of the key that opened it."""
        for position, cipher in enumerate(self._ciphers):
            try:
                return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], row.encode()), position
            except InvalidTag:
                continue
        raise VaultUnusable(f"{row} cannot be opened: sealed with another key, or for another row")
