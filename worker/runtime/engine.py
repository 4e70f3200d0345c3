"""What the worker asks of a container engine, in its own words; `docker_engine` is the means.

Rules:
- Every call has a deadline. An engine that does not answer in time is as unreachable as one that refuses the connection.
- Nothing here remembers that the engine was away: the next call simply tries again.

Errors: EngineUnavailable (of `worker.errors`), EngineRefused, ImageUnavailable, BuildFailed.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Network
from typing import Protocol


class EngineRefused(Exception):
    """The engine understood the request and said no. `status` is its HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class ImageUnavailable(Exception):
    """An image can neither be pulled nor is it on this node."""


class BuildFailed(Exception):
    """A step of a build failed; the message is the engine's."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one container may use. `cpu` in cores. `disk_mb` is bookkeeping: overlay2 has no quota of its own."""

    cpu: float = 1.0
    memory_mb: int = 512
    disk_mb: int = 1024
    pids: int = 256


@dataclass(frozen=True, slots=True)
class MountedVolume:
    """A named volume of ours at a path inside the container; never a path of the host."""

    volume: str
    path: str
    read_only: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerProbe:
    """A health check that the engine runs inside the container. `test` in Docker's form: `CMD ...`, `CMD-SHELL ...`, `NONE`. Seconds."""

    test: tuple[str, ...]
    interval_s: float
    timeout_s: float
    start_period_s: float
    retries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSpec:
    """One container to create. `image_id` is content-addressed, so what runs is what was checked. None: as the image has it.

    `aliases` are further names on the network.
    """

    name: str
    image_id: str
    command: tuple[str, ...] | None
    environment: Mapping[str, str]
    labels: Mapping[str, str]
    network: str
    limits: Limits
    entrypoint: tuple[str, ...] | None = None
    mounts: tuple[MountedVolume, ...] = ()
    probe: ContainerProbe | None = None
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSeen:
    """A container as the engine shows it now. `started_at` is the engine's RFC 3339 text, unique to each start.

    `health` is what the check inside says (`starting`, `healthy`, `unhealthy`), None when there is none.
    """

    container_id: str
    name: str
    labels: Mapping[str, str]
    image: str
    status: str
    running: bool
    started_at: str
    exit_code: int
    oom_killed: bool
    restarts: int
    addresses: Mapping[str, str]
    health: str | None = None


def unix_seconds(engine_time: str) -> float:
    """Of the engine's RFC 3339 text, cut to microseconds."""
    return datetime.fromisoformat(engine_time).timestamp()


@dataclass(frozen=True, slots=True)
class ContainerListed:
    """A container in a listing, which is cheaper than looking at each. `going`: its removal has begun, and nothing else can be done with it."""

    container_id: str
    labels: Mapping[str, str]
    running: bool
    going: bool


@dataclass(frozen=True, slots=True)
class NetworkSeen:
    network_id: str
    name: str
    labels: Mapping[str, str]
    subnets: tuple[IPv4Network, ...]


@dataclass(frozen=True, slots=True)
class ImageSeen:
    """`image_id` names the content on this engine, `digest` the registry's manifest where there is one.

    `triggers` are instructions that run in every build on top of it.
    """

    image_id: str
    digest: str | None
    triggers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImageListed:
    """`parent` is the image that it was built on top of, empty for one that was pulled."""

    image_id: str
    labels: Mapping[str, str]
    tags: tuple[str, ...]
    parent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildOrder:
    """What to build out of a context. `network` is where the build's own steps run; `tag` names the result.

    `cache` are images whose steps may be used again instead of being run; those of no others are. `pids` is of each step.
    """

    dockerfile: str
    tag: str
    labels: Mapping[str, str]
    network: str
    memory_mb: int
    cpu: float
    pids: int
    cache: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BuildMessage:
    """A piece of a build's output. `layer` is an image that a step ended with, `base` whether that is what the build starts from,
    `container` where a step is about to run, `triggers` whether those of a base image are about to, `pulled` the name of a base image that
    was not here before, `image_id` the result.
    """

    text: str = ""
    layer: str | None = None
    base: bool = False
    container: str | None = None
    triggers: bool = False
    pulled: str | None = None
    image_id: str | None = None


@dataclass(frozen=True, slots=True)
class EngineEvent:
    """Something that happened to one of our containers. `time_ns` is the engine's clock."""

    action: str
    container_id: str
    labels: Mapping[str, str]
    time_ns: int


class Engine(Protocol):
    """Every method may raise EngineUnavailable, and EngineRefused for what the engine will not do."""

    async def ping(self) -> None: ...

    async def image(self, reference: str) -> ImageSeen | None: ...

    async def pull(self, reference: str, deadline_s: float) -> None:
        """Raises EngineRefused when the registry says no, EngineUnavailable when it (or the engine) cannot be reached in time."""

    async def create(self, spec: ContainerSpec) -> str:
        """The id of a created, not started container."""

    async def start(self, container_id: str) -> None:
        """Raises ContainerGone for one that somebody has removed, or is removing."""

    async def stop(self, container_id: str, grace_s: int) -> None:
        """SIGTERM, then SIGKILL after `grace_s`. A container that is gone or stopped is no error."""

    async def remove(self, container_id: str) -> None:
        """Kills it if need be, and removes its anonymous volumes; afterwards it is gone. A container that is gone is no error."""

    async def keep_running(self, container_id: str, *, on: bool, only_failed: bool = False) -> None:
        """Whether the engine restarts the container when it ends (`only_failed`: unless it ended with 0) or the machine boots.

        A container that is gone, or just going, is no error.
        """

    async def inspect(self, container_id: str) -> ContainerSeen | None: ...

    async def containers(self, labels: Mapping[str, str]) -> list[ContainerListed]:
        """Running and stopped ones that carry all of `labels`."""

    async def id_starting_with(self, prefix: str) -> str | None:
        """The container whose id or name is (for an id: begins with) `prefix`."""

    async def log_tail(self, container_id: str, lines: int) -> list[str]:
        """Nothing of a container that is gone, or just going."""

    async def networks(self) -> list[NetworkSeen]: ...

    async def create_network(
        self,
        name: str,
        subnet: IPv4Network,
        labels: Mapping[str, str],
        *,
        bridge: str,
        internal: bool = False,
    ) -> str:
        """The id of a new network, whose bridge is an interface of this machine called `bridge` (at most 15 characters).

        `internal`: its containers reach each other through it, and nothing else.
        """

    async def connect(self, network_id: str, container_id: str, aliases: Sequence[str] = ()) -> None:
        """A container that is connected already is no error. `aliases` are its names within that network."""

    async def disconnect(self, network_id: str, container_id: str) -> None: ...

    async def remove_network(self, network_id: str) -> None:
        """One that is gone is no error."""

    async def create_volume(self, name: str, labels: Mapping[str, str]) -> None:
        """One that exists stays as it is."""

    async def remove_volumes(self, labels: Mapping[str, str]) -> int:
        """How many carry all of `labels`, and are gone now."""

    def build(self, context: AsyncIterator[bytes], order: BuildOrder) -> AsyncGenerator[BuildMessage, None]:
        """What the build says as it goes; the last message has the image. Closing it ends the build. Raises BuildFailed.

        The deadline is the caller's: nobody but the caller knows how long a build may take.
        """

    async def images(self, labels: Mapping[str, str]) -> list[ImageListed]:
        """Those that carry all of `labels`."""

    async def layers(self) -> list[ImageListed]:
        """The images without a name, which are steps of builds."""

    async def remove_image(self, reference: str) -> bool:
        """Whether it went: one that is used, by a container or by another image, stays. One that is gone is no error."""

    def events(self, labels: Mapping[str, str]) -> AsyncGenerator[EngineEvent | None, None]:
        """Follows what happens from now on; the first item is None: from here on nothing is missed. Ends when the engine goes."""
