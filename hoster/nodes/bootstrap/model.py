"""The installation of a worker as it is recorded, and as the node's owner sees it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from typing_extensions import override

from hoster.ssh_keys.key_pair import fingerprint
from shared.clock import rfc3339

ATTEMPTS_MOST = 3
"""How often an installation is taken up again after a crash of ours."""


class BootstrapStatus(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where to log in, and which ports the worker gets there. `host_key` is a public key line, or a fingerprint `SHA256:...`; None
    takes the key that the machine shows at the first connection.
    """

    host: str
    port: int
    user: str
    host_key: str | None
    worker_port: int
    mesh_port: int

    @property
    def worker_address(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.worker_port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bootstrap:
    node_id: str
    machine: Machine
    status: BootstrapStatus
    pinned: bool
    reason: str | None
    log: tuple[Mapping[str, str], ...]
    attempts: int
    created_at: float
    finished_at: float | None

    def as_json(self) -> dict[str, object]:
        machine = self.machine
        return {
            "status": self.status.value,
            "host": machine.host,
            "port": machine.port,
            "user": machine.user,
            "host_key": machine.host_key,
            "host_key_fingerprint": _fingerprint(machine.host_key),
            "host_key_pinned": self.pinned,
            "reason": self.reason,
            "log": [dict(line) for line in self.log],
            "created_at": rfc3339(self.created_at),
            "finished_at": None if self.finished_at is None else rfc3339(self.finished_at),
        }


@dataclass(frozen=True, slots=True)
class Credentials:
    """What an attempt needs and nobody else sees."""

    private_key: str
    join_token: str

    @override
    def __repr__(self) -> str:
        return "Credentials(***)"


def _fingerprint(host_key: str | None) -> str | None:
    if host_key is None or host_key.startswith("SHA256:"):
        return host_key
    return fingerprint(host_key)
