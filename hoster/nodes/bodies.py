"""What owners and workers send about nodes."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from hoster.bodies import StrictBody
from hoster.deployments.resources import Resources

_ADDRESS = re.compile(r"https?://(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")


def _origin(address: str) -> str:
    origin = address.rstrip("/")
    if _ADDRESS.fullmatch(origin) is None:
        raise ValueError("must be http(s)://host[:port] without path or credentials")
    return origin


Address = Annotated[str, Field(max_length=300), AfterValidator(_origin)]
Capability = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[a-z0-9-]+$")]


class NewNodeBody(StrictBody):
    name: str = Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")
    public: bool = False
    location: str = Field(default="", max_length=100)
    capabilities: list[Capability] = Field(default=[], max_length=20)


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
    token: str = Field(min_length=1, max_length=512)
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
