"""The environment of a project: byte-exact, encrypted at rest, and never shown again."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.config import Secret
from shared.durable_file import write_private
from shared.environment import check_environment, check_name

_NONCE_BYTES = 12
_KEY_BYTES = 32


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
    for name in changes:
        check_name(name)
    start = dict(old) if merge else {}
    variables = {name: value for name, value in {**start, **changes}.items() if value is not None}
    check_environment(variables)
    return variables
