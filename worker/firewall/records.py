"""What the firewall is and what it may become, in files: the process that takes changes back needs neither agent nor database.

Rules:
- `pending.json` exists exactly while a change waits for its confirmation. Confirming renames it away, reverting removes it, and
  both happen under one lock, so that a change ends in one way only.
- Everything here blocks.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared.durable_file import write_private
from worker.firewall.policy import Policy


class FirewallRecordsUnreadable(Exception):
    """A file of the firewall is damaged. To guess would open or close ports, so this needs a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """`token_digest` is of the token that confirmed it, so that to confirm twice is no error."""

    version: int = 0
    token_digest: str = ""
    policy: Policy = field(default_factory=Policy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """`former` is the ruleset to go back to; None when the change is of the mesh only. `expires_at` is Unix seconds."""

    version: int
    token_digest: str
    policy: Policy
    expires_at: float
    window_s: float
    former: str | None

    def confirmed(self) -> Confirmed:
        return Confirmed(version=self.version, token_digest=self.token_digest, policy=self.policy)


class FirewallRecords:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._confirmed = folder / "confirmed.json"
        self._pending = folder / "pending.json"
        self._newest = folder / "version"

    @contextmanager
    def locked(self) -> Iterator[None]:
        with held(self.folder / "state.lock"):
            yield

    def confirmed(self) -> Confirmed:
        """Raises FirewallRecordsUnreadable."""
        found = _read(self._confirmed)
        if found is None:
            return Confirmed()
        with _damage_told(self._confirmed):
            return Confirmed(
                version=found["version"],
                token_digest=found["token_digest"],
                policy=Policy.from_json(found["policy"]),
            )

    def pending(self) -> Pending | None:
        """Raises FirewallRecordsUnreadable."""
        found = _read(self._pending)
        # Both files have it when the agent died between the two steps of a confirmation.
        if found is None or found.get("version") == self.confirmed().version:
            return None
        with _damage_told(self._pending):
            return Pending(
                version=found["version"],
                token_digest=found["token_digest"],
                policy=Policy.from_json(found["policy"]),
                expires_at=found["expires_at"],
                window_s=found["window_s"],
                former=found["former"],
            )

    def next_version(self) -> int:
        """Never given twice, also when the change was taken back."""
        last = int(self._newest.read_text(encoding="ascii")) if self._newest.exists() else 0
        write_private(self._newest, str(last + 1).encode())
        return last + 1

    def put_pending(self, change: Pending) -> None:
        members = {
            "version": change.version,
            "token_digest": change.token_digest,
            "policy": change.policy.to_json(),
            "expires_at": change.expires_at,
            "window_s": change.window_s,
            "former": change.former,
        }
        write_private(self._pending, json.dumps(members).encode())

    def confirm(self, change: Pending) -> None:
        """A crash between the two steps leaves it confirmed, see `pending`."""
        kept = change.confirmed()
        members = {
            "version": kept.version,
            "token_digest": kept.token_digest,
            "policy": kept.policy.to_json(),
        }
        write_private(self._confirmed, json.dumps(members).encode())
        self.drop_pending()

    def drop_pending(self) -> None:
        self._pending.unlink(missing_ok=True)


@contextmanager
def held(path: Path) -> Iterator[None]:
    """An advisory lock that ends with the block, or with the process."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _damage_told(path: Path) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        raise FirewallRecordsUnreadable(f"{path} is damaged") from error


def _read(path: Path) -> Mapping[str, Any] | None:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    with _damage_told(path):
        found = json.loads(text)
        if not isinstance(found, dict):
            raise TypeError
        return found
