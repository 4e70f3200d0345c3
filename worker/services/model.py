"""Add-ons as values, and the rules of their lives. Pure.

Errors: AddOnUnknown, AddOnExists, ServiceNotInCatalog, LinkTaken.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from worker.runtime.engine import ContainerProbe, Limits

HOST_SUFFIX = "services.internal"
"""Add-ons are found under `<name>.services.internal`: no service of a project can have a name with a dot."""


ADDON_PREFIX = "svc_"


def is_addon_id(text: str) -> bool:
    """Project ids have no underscore, so the two never meet."""
    return text.startswith(ADDON_PREFIX)


class AddOnUnknown(Exception):
    """There is no such add-on on this node."""


class AddOnExists(Exception):
    """The organisation has an add-on of this name."""


class ServiceNotInCatalog(Exception):
    """`field` is the member of the request that names what the catalogue does not have."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


class LinkTaken(Exception):
    """Another add-on is linked to the project under this variable."""


class Wanted(StrEnum):
    """What was last asked for. `KEPT`: the container goes, the data stay. `DELETED` is remembered until nothing is left."""

    RUNNING = "running"
    KEPT = "kept"
    DELETED = "deleted"


class State(StrEnum):
    """What was last seen. `STARTING`: it ran before and is coming back."""

    INSTALLING = "installing"
    STARTING = "starting"
    RUNNING = "running"
    FAILED = "failed"
    REMOVING = "removing"
    KEPT = "kept"


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """What is installed: one version of one entry of the catalogue.

    Values of `environment`, and `url`, are templates of {user}, {password} and {database}; the url has {host} and {port} too.
    """

    service: str
    version: str
    image: str
    port: int
    volume: str
    command: tuple[str, ...] | None
    environment: Mapping[str, str]
    variable: str
    url: str
    health: ContainerProbe
    limits: Limits

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, members: Mapping[str, Any]) -> "Definition":
        command, health = members["command"], members["health"]
        restored = {
            "command": None if command is None else tuple(command),
            "health": ContainerProbe(**{**health, "test": tuple(health["test"])}),
            "limits": Limits(**members["limits"]),
        }
        return cls(**{**members, **restored})


@dataclass(frozen=True, slots=True, kw_only=True)
class AddOn:
    """`image_id` is None until the image has been pinned. The credentials are stored apart, sealed."""

    addon_id: str
    org_id: str
    name: str
    definition: Definition
    image_id: str | None
    wanted: Wanted
    state: State
    reason: str
    created_at: float

    @property
    def host(self) -> str:
        return f"{self.name}.{HOST_SUFFIX}"


@dataclass(frozen=True, slots=True)
class Link:
    """`variable` of the project holds the add-on's url."""

    project_id: str
    variable: str
