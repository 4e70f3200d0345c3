"""What is asked of a deploy, as values that can be recorded and run again. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from pydantic import TypeAdapter

from worker.runtime.engine import Limits

WEB = "web"
"""The name of the only service of a release made from one image or one Dockerfile."""


class Restart(StrEnum):
    """What happens when a service ends by itself."""

    ALWAYS = "always"
    ON_FAILURE = "on-failure"
    NEVER = "no"


class Condition(StrEnum):
    """What must hold of a service before one that depends on it is started; named as in Compose files."""

    STARTED = "service_started"
    HEALTHY = "service_healthy"
    COMPLETED = "service_completed_successfully"


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """Seconds. `path` is asked by the worker, `test` (Docker's form) is run by the engine inside the container; with neither, an accepted
    TCP connection counts. `interval_s` None: quick at first, then every second.
    """

    path: str | None = None
    interval_s: float | None = None
    timeout_s: float = 5.0
    deadline_s: float = 60.0
    test: tuple[str, ...] | None = None
    start_period_s: float = 0.0
    retries: int = 3


@dataclass(frozen=True, slots=True)
class Mount:
    """A named volume of the project at an absolute path."""

    volume: str
    path: str
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Dependency:
    service: str
    condition: Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service. `image` None: what was built. `port` is where the mesh reaches it, `limits` None those of the project."""

    name: str
    image: str | None
    port: int | None
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    depends_on: tuple[Dependency, ...] = ()
    healthcheck: HealthCheck = field(default_factory=HealthCheck)
    restart: Restart = Restart.ALWAYS
    limits: Limits | None = None

    @property
    def may_end(self) -> bool:
        """Whether having ended with exit code 0 is as good as running."""
        return self.restart is not Restart.ALWAYS


@dataclass(frozen=True, slots=True, kw_only=True)
class GitSource:
    """`ref` is a branch, tag or full commit id, empty for the default branch; `commit` the one on it that was pushed, empty for its newest.
    `key` is an OpenSSH private key.
    """

    url: str
    ref: str = ""
    commit: str = ""
    key: str | None = field(default=None, repr=False)
    dockerfile: str = "Dockerfile"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveSource:
    """A tar, tar.gz or zip; `sha256` in hex is that of the file."""

    url: str
    sha256: str
    dockerfile: str = "Dockerfile"


class NotFromGit(Exception):
    """What is deployed did not come from a git repository."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployRequest:
    """What to run. The services are in an order in which each comes after those that it depends on; `web` gets the host names.

    `release` names the release whose pinned images are run again instead of resolving them anew, with the project's variables as they were
    then, or (`fresh_environment`) as they are now.
    """

    services: tuple[Service, ...]
    web: str = WEB
    source: GitSource | ArchiveSource | None = None
    release: str | None = None
    fresh_environment: bool = False

    @property
    def web_service(self) -> Service:
        return self.service(self.web)

    def service(self, name: str) -> Service:
        return next(service for service in self.services if service.name == name)

    def volumes(self) -> frozenset[str]:
        return frozenset(mount.volume for service in self.services for mount in service.mounts)

    def again(self, release_id: str, *, fresh_environment: bool) -> "DeployRequest":
        """The same, out of the images of that release."""
        return replace(self, release=release_id, fresh_environment=fresh_environment)

    def at(self, ref: str) -> "DeployRequest":
        """The same repository at another branch, tag or commit, built anew. Raises NotFromGit."""
        if not isinstance(self.source, GitSource):
            raise NotFromGit(NotFromGit.__doc__)
        return replace(self, source=replace(self.source, ref=ref), release=None, fresh_environment=False)

    def to_json(self) -> str:
        return _ADAPTER.dump_json(self).decode()

    @classmethod
    def from_json(cls, text: str) -> "DeployRequest":
        return _ADAPTER.validate_json(text)


_ADAPTER = TypeAdapter(DeployRequest)


def one_service(
    image: str | None,
    port: int,
    healthcheck: HealthCheck,
    command: tuple[str, ...] | None = None,
    source: GitSource | ArchiveSource | None = None,
) -> DeployRequest:
    service = Service(name=WEB, image=image, port=port, command=command, healthcheck=healthcheck)
    return DeployRequest(services=(service,), source=source)


class DependencyCircle(Exception):
    """Services depend on each other in a circle; the message names them."""


def in_order(services: Mapping[str, Service]) -> Iterator[Service]:
    """Each after those that it depends on, else in the order given. Raises DependencyCircle; every dependency must exist."""
    done: set[str] = set()
    waiting = list(services.values())
    while waiting:
        ready = [s for s in waiting if all(dependency.service in done for dependency in s.depends_on)]
        if not ready:
            names = ", ".join(sorted(service.name for service in waiting))
            raise DependencyCircle(f"{names} depend on each other in a circle")
        yield ready[0]
        done.add(ready[0].name)
        waiting.remove(ready[0])
