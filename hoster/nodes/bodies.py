"""What owners and workers send about nodes."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from hoster.bodies import Name, StrictBody
from hoster.deployments.resources import Resources
from hoster.nodes.bootstrap.bodies import SshBody

_ADDRESS = re.compile(r"https?://(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")


def _origin(address: str) -> str:
    origin = address.rstrip("/")
    if _ADDRESS.fullmatch(origin) is None:
        raise ValueError("must be http(s)://host[:port] without path or credentials")
    return origin


Address = Annotated[str, Field(max_length=300), AfterValidator(_origin)]
Capability = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[a-z0-9-]+$")]


class NewNodeBody(StrictBody):
    name: Name
    public: bool = False
    location: str = Field(default="", max_length=100)
    capabilities: list[Capability] = Field(default=[], max_length=20)
    ssh: SshBody | None = None


class NodeChangeBody(StrictBody):
    """What is left out stays."""

    name: Name | None = None
    location: str | None = Field(default=None, max_length=100)
    capabilities: list[Capability] | None = Field(default=None, max_length=20)

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        given = self.model_fields_set
        if not given or any(getattr(self, name) is None for name in given):
            raise ValueError("needs at least one of name, location and capabilities, and none of them null")
        return self


class WorkerBody(BaseModel):
    """Workers may be newer than this Hoster: what it does not know yet, it ignores."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class AmountsBody(WorkerBody):
    cpu_cores: float = Field(ge=0, le=100_000, allow_inf_nan=False)
    memory_mb: float = Field(ge=0, le=1e12, allow_inf_nan=False)
    disk_mb: float = Field(ge=0, le=1e12, allow_inf_nan=False)

    def resources(self) -> Resources:
        return Resources.of(self.cpu_cores, int(self.memory_mb), int(self.disk_mb))


class JoinBody(WorkerBody):
    """`secret` is what the worker would sign with; without it, it is given one."""

    token: str = Field(min_length=1, max_length=512)
    secret: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{43,128}$")
    name: str = Field(default="", max_length=100)
    address: Address
    version: str = Field(default="", max_length=100)
    capacity: AmountsBody
    capabilities: list[Capability] = Field(default=[], max_length=20)


class HeartbeatBody(WorkerBody):
    """`address` is where the node is reached now; without it, where it was."""

    version: str = Field(default="", max_length=100)
    address: Address | None = None
    capacity: AmountsBody
    used: AmountsBody
    engine: Literal["ok", "unavailable"] = "ok"
