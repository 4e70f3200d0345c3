"""Deploys and releases as values. Pure.

Errors: DeployUnknown, DeployPastCancelling, ReleaseMissing, ReleaseUnknown.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from worker.deploys.request import DeployRequest
from worker.deploys.transitions import Status


class DeployUnknown(Exception):
    """There is no such deploy of this project."""


class DeployPastCancelling(Exception):
    """The deploy has ended, or has chosen the new release and is finishing."""


class ReleaseMissing(Exception):
    """The project has no release yet: deploy something first."""


class ReleaseUnknown(Exception):
    """The project has no such release, or no longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    name: str
    started_at: float
    finished_at: float | None
    detail: str


@dataclass(frozen=True, slots=True)
class HealthAttempt:
    """`outcome` is for a person: `HTTP 200`, `connection refused on port 80`."""

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


@dataclass(frozen=True, slots=True)
class ReleaseImage:
    """`image_id` names the content on this engine, `digest` the registry's manifest where there is one."""

    image_id: str
    digest: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One deploy makes one release, so both have the same id.

    `images` by service; `revision` is the commit or file that was built, empty for images. `environment`, the project's, is sealed.
    """

    release_id: str
    project_id: str
    request: DeployRequest
    images: Mapping[str, ReleaseImage]
    revision: str
    environment: bytes | None
    created_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a deploy ended without becoming active."""

    status: Status
    reason: str
    log_tail: tuple[str, ...] = ()
    health_attempts: tuple[HealthAttempt, ...] = ()
