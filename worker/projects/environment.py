"""The environment of a project: byte-exact, encrypted at rest, and never shown again.

Facts: Docker passes `KEY=value` as JSON text, so a value is any Unicode text but NUL; Linux refuses to start a program with a
single string above 128 KiB (MAX_ARG_STRLEN), or with more than 2 MiB of them and of arguments in all (a quarter of the usual stack).
"""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.config import Secret
from shared.durable_file import write_private

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,255}")
_LONGEST_ENTRY = 131_071
_MOST_BYTES = 1024 * 1024
_NONCE_BYTES = 12
_KEY_BYTES = 32


class EnvironmentInvalid(Exception):
    """`name` is the variable at fault, empty for all of them together; its value is never part of the message."""

    def __init__(self, name: str, fault: str) -> None:
        super().__init__(fault)
        self.name = name


class EnvironmentUnreadable(Exception):
    """The stored environment cannot be decrypted with this worker's key."""


class EnvironmentKeyUnreadable(Exception):
    """The key file is damaged. A new key would lose every stored environment, so this needs a person."""


class EnvironmentCipher:
    """AES-256-GCM; the project id is authenticated with the text, so that a blob is of no use in another row."""

    def __init__(self, key: Secret) -> None:
        self._cipher = AESGCM(key.reveal())

    def seal(self, project_id: str, variables: Mapping[str, str]) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        text = json.dumps(variables).encode()
        return nonce + self._cipher.encrypt(nonce, text, project_id.encode())

    def open(self, project_id: str, sealed: bytes | None) -> dict[str, str]:
        """None is the empty environment; raises EnvironmentUnreadable."""
        if sealed is None:
            return {}
        try:
            text = self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], project_id.encode())
        except InvalidTag as error:
            raise EnvironmentUnreadable(EnvironmentUnreadable.__doc__) from error
        variables: dict[str, str] = json.loads(text)
        return variables


def load_key(folder: Path) -> Secret:
    """Reads `environment.key`, or makes it the first time. Blocking."""
    path = folder / "environment.key"
    if not path.exists():
        write_private(path, os.urandom(_KEY_BYTES))
    key = path.read_bytes()
    if len(key) != _KEY_BYTES:
        raise EnvironmentKeyUnreadable(f"{path} is not a key of {_KEY_BYTES} bytes")
    return Secret(key)


def merged(old: Mapping[str, str], changes: Mapping[str, str | None], *, merge: bool) -> dict[str, str]:
    """`changes` instead of `old`, or on top of it, where None removes a variable; raises EnvironmentInvalid."""
    for name, value in changes.items():
        _check(name, value)
    start = dict(old) if merge else {}
    variables = {name: value for name, value in {**start, **changes}.items() if value is not None}
    if sum(len(name) + len(value.encode()) + 2 for name, value in variables.items()) > _MOST_BYTES:
        raise EnvironmentInvalid("", f"all variables together are above {_MOST_BYTES} bytes")
    return variables


def _check(name: str, value: str | None) -> None:
    if _NAME.fullmatch(name) is None:
        raise EnvironmentInvalid(
            name[:64], "a name is letters, digits, '_', '.' and '-', and does not begin with a digit"
        )
    if value is None:
        return
    if "\0" in value:
        raise EnvironmentInvalid(name, "a value cannot hold a NUL character")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise EnvironmentInvalid(name, "a value must be valid Unicode text") from None
    if len(name) + 1 + size > _LONGEST_ENTRY:
        raise EnvironmentInvalid(name, f"name and value together are above {_LONGEST_ENTRY} bytes")
