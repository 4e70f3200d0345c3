"""The key file: one key of 32 bytes, or several while they are rotated, newest first. Everything here is blocking."""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hoster.vault import Vault, VaultUnusable
from shared.durable_file import write_private

KEY_BYTES = 32
KEYS_MOST = 4


class RotationUnderWay(Exception):
    """Earlier rotations have not been finished; start Hoster, which finishes them."""


def read_keys(path: Path) -> list[bytes]:
    """Raises VaultUnusable or OSError."""
    content = path.read_bytes()
    if not content or len(content) % KEY_BYTES:
        raise VaultUnusable(f"{path} is damaged: {len(content)} bytes instead of {KEY_BYTES} for each key")
    if path.stat().st_mode & 0o077:
        raise VaultUnusable(f"{path} can be read by others: chmod 600 it")
    return [content[start : start + KEY_BYTES] for start in range(0, len(content), KEY_BYTES)]


def open_vault(key_file: Path, database_file: Path) -> Vault:
    """Makes the key on the first start. A database without its key is refused: a new key could open nothing in it."""
    if not key_file.exists():
        if database_file.exists():
            raise VaultUnusable(
                f"{key_file} is missing, but {database_file} was written with it: restore the key"
            )
        write_private(key_file, secrets.token_bytes(KEY_BYTES))
    return Vault(*read_keys(key_file))


def add_key(path: Path) -> int:
    """How many there are now. Raises RotationUnderWay, VaultUnusable or OSError."""
    with _alone(path):
        keys = read_keys(path)
        if len(keys) >= KEYS_MOST:
            raise RotationUnderWay(RotationUnderWay.__doc__)
        write_private(path, secrets.token_bytes(KEY_BYTES) + b"".join(keys))
        return len(keys) + 1


def retire(path: Path, keys: list[bytes]) -> None:
    """Takes those out that nothing is sealed with any more. Raises VaultUnusable or OSError."""
    with _alone(path):
        write_private(path, b"".join(key for key in read_keys(path) if key not in keys))


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """The file is read and written by the service and by the command: one at a time."""
    descriptor = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
