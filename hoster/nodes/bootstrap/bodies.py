"""`ssh` in an owner's order for a node."""

import re
from typing import Annotated, Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_ssh_public_key
from pydantic import AfterValidator, Field, SecretStr, model_validator

from hoster.bodies import StrictBody
from hoster.nodes.bootstrap.model import Machine

SSH_PORT, WORKER_PORT, MESH_PORT = 22, 8081, 8090
PRIVATE_KEY_MOST = 20_000

_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")

Host = Annotated[
    str,
    Field(
        max_length=253,
        pattern=r"^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)$",
    ),
]
Port = Annotated[int, Field(ge=1, le=65535)]


def _host_key(text: str) -> str:
    """A fingerprint, or a public key line without its comment."""
    if _FINGERPRINT.fullmatch(text):
        return text
    line = " ".join(text.split()[:2])
    try:
        load_ssh_public_key(line.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError(
            "must be a public key such as ssh-ed25519 AAAA..., or its fingerprint SHA256:..."
        ) from error
    return line


class SshBody(StrictBody):
    """How to log in to the machine, and which ports the worker gets there."""

    host: Host
    port: Port = SSH_PORT
    user: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,31}$")
    ssh_key_id: str | None = Field(default=None, pattern=r"^sshkey_[0-9a-f]{32}$")
    private_key: SecretStr | None = Field(default=None, min_length=1, max_length=PRIVATE_KEY_MOST)
    host_key: Annotated[str, Field(max_length=20_000), AfterValidator(_host_key)] | None = None
    worker_port: Port = WORKER_PORT
    mesh_port: Port = MESH_PORT

    @model_validator(mode="after")
    def _has_one_key(self) -> Self:
        if (self.ssh_key_id is None) == (self.private_key is None):
            raise ValueError("needs either ssh_key_id or private_key")
        return self

    def machine(self) -> Machine:
        return Machine(
            host=self.host,
            port=self.port,
            user=self.user,
            host_key=self.host_key,
            worker_port=self.worker_port,
            mesh_port=self.mesh_port,
        )


class BootstrapBody(StrictBody):
    ssh: SshBody
