"""A node: a machine with a worker."""

from dataclasses import dataclass
from enum import StrEnum

from typing_extensions import override

from hoster.deployments.resources import Resources
from shared.clock import rfc3339

OFFLINE_AFTER_S = 30.0


class NodeStatus(StrEnum):
    JOINING = "joining"
    ONLINE = "online"
    OFFLINE = "offline"
    MAINTENANCE = "maintenance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """`owner_id` None: the operator's. `used` is what the worker measured, not what was promised to deployments."""

    id: str
    owner_id: str | None
    name: str
    public: bool
    maintenance: bool
    engine_ok: bool
    address: str | None
    capabilities: frozenset[str]
    location: str
    version: str
    capacity: Resources
    used: Resources
    joined_at: float | None
    last_seen_at: float | None
    created_at: float

    def is_online(self, now: float) -> bool:
        return self.last_seen_at is not None and now - self.last_seen_at <= OFFLINE_AFTER_S

    def has_beaten_since(self, moment: float) -> bool:
        """Whether a heartbeat came after that moment; joining is none."""
        return None not in {self.last_seen_at, self.joined_at} and (self.last_seen_at or 0.0) > max(
            moment, self.joined_at or 0.0
        )

    def status(self, now: float) -> NodeStatus:
        if self.last_seen_at is None:
            return NodeStatus.JOINING
        if self.maintenance:
            return NodeStatus.MAINTENANCE
        return NodeStatus.ONLINE if self.is_online(now) else NodeStatus.OFFLINE

    def as_json(self, viewer_id: str, now: float) -> dict[str, object]:
        """The address is for the owner alone."""
        return {
            "id": self.id,
            "name": self.name,
            "status": self.status(now).value,
            "public": self.public,
            "address": self.address if self.owner_id == viewer_id else None,
            "capabilities": sorted(self.capabilities),
            "capacity": {**self.capacity.as_json(), "used": self.used.as_json()},
            "location": self.location,
            "version": self.version,
            "last_seen_at": None if self.last_seen_at is None else rfc3339(self.last_seen_at),
        }


@dataclass(frozen=True, slots=True)
class Worker:
    """How a node's worker is reached. The secret never leaves this process but as a signature."""

    node_id: str
    address: str
    secret: bytes

    @override
    def __repr__(self) -> str:
        return f"Worker({self.node_id})"
