"""Deploys and releases as values. Pure.

Errors: DeployUnknown, DeployPastCancelling, ReleaseMissing.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from worker.deploys.transitions import Status

WEB = "web"
"""The name of the only service of a release made from one image."""


class DeployUnknown(Exception):
    """There is no such deploy of this project."""


class DeployPastCancelling(Exception):
    """The deploy has ended, or has chosen the new release and is finishing."""


class ReleaseMissing(Exception):
    """The project has no release yet: deploy something first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """Seconds. Without `path`, an accepted TCP connection counts. `interval_s` None: quick at first, then every second."""

    path: str | None = None
    interval_s: float | None = None
    timeout_s: float = 5.0
    deadline_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployRequest:
    """What to run. `release` names the release whose pinned image is run again, instead of resolving `image` anew."""

    image: str
    port: int
    command: tuple[str, ...] | None = None
    healthcheck: HealthCheck = field(default_factory=HealthCheck)
    release: str | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, members: Mapping[str, Any]) -> "DeployRequest":
        command = members["command"]
        return cls(
            image=members["image"],
            port=members["port"],
            command=None if command is None else tuple(command),
            healthcheck=HealthCheck(**members["healthcheck"]),
            release=members["release"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    name: str
    started_at: float
    finished_at: float | None
    detail: str


@dataclass(frozen=True, slots=True)
class HealthAttempt:
    """`outcome` is for a person: `200`, `connection refused`."""

    at: float
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deploy:
    """`attempts` counts how often it was begun: a deploy that takes the worker down with it is not resumed for ever."""

    deploy_id: str
    project_id: str
    status: Status
    request: DeployRequest
    attempts: int
    cancel_wanted: bool
    reason: str
    log_tail: tuple[str, ...]
    health_attempts: tuple[HealthAttempt, ...]
    created_at: float
    finished_at: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """`environment` is sealed. One deploy makes one release, so both have the same id."""

    release_id: str
    project_id: str
    request: DeployRequest
    image_id: str
    digest: str | None
    environment: bytes | None
    created_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a deploy ended without becoming active."""

    status: Status
    reason: str
    log_tail: tuple[str, ...] = ()
    health_attempts: tuple[HealthAttempt, ...] = ()
