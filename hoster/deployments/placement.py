"""Which node takes a deployment: a filter with a reason for each refusal, then the most room left."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from hoster.deployments.resources import Resources


class Refusal(StrEnum):
    """Why a node was not taken, in the order in which it is asked."""

    OFFLINE = "offline"
    MAINTENANCE = "maintenance"
    REGION = "region"
    CAPABILITIES = "capabilities"
    PLAN = "plan"
    CPU = "cpu"
    MEMORY = "memory"
    DISK = "disk"
    ENGINE_UNAVAILABLE = "engine_unavailable"


PASSING_REFUSALS = frozenset(
    {Refusal.OFFLINE, Refusal.MAINTENANCE, Refusal.CPU, Refusal.MEMORY, Refusal.DISK}
)
"""A node that was not taken for one of these may be taken later."""


class NoNodeAvailable(Exception):
    """No node passes. `reasons` counts refusals; empty when there are no nodes at all."""

    def __init__(self, reasons: Mapping[Refusal, int]) -> None:
        super().__init__("No node can take this deployment now.")
        self.reasons = reasons


class EngineUnavailable(Exception):
    """Only nodes whose container engine is down could take this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A node as placement sees it. `reserved` is what the live deployments placed there were promised."""

    node_id: str
    online: bool
    maintenance: bool
    engine_ok: bool
    region: str
    capabilities: frozenset[str]
    capacity: Resources
    reserved: Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """`region` None takes any. `allowed_capabilities` is the plan's; empty permits every node."""

    resources: Resources
    region: str | None
    required_capabilities: frozenset[str]
    allowed_capabilities: frozenset[str]


def choose(candidates: Iterable[Candidate], demand: Demand) -> str:
    """The id of the best node; raises NoNodeAvailable or EngineUnavailable. Equal scores: the smaller id."""
    fitting: list[Candidate] = []
    refusals: Counter[Refusal] = Counter()
    for candidate in candidates:
        refusal = refuse(candidate, demand)
        if refusal is None:
            fitting.append(candidate)
        else:
            refusals[refusal] += 1
    if fitting:
        return min(fitting, key=lambda one: (-score(one, demand.resources), one.node_id)).node_id
    if refusals[Refusal.ENGINE_UNAVAILABLE]:
        raise EngineUnavailable("The container engine of the node does not answer. Try again shortly.")
    raise NoNodeAvailable(dict(refusals))


def refuse(candidate: Candidate, demand: Demand) -> Refusal | None:
    """The first reason against this node. An engine that is down counts only when nothing else speaks against the node."""
    allowed = demand.allowed_capabilities
    offered = candidate.capabilities
    left = room_left(candidate, demand.resources)
    reasons = (
        (Refusal.OFFLINE, not candidate.online),
        (Refusal.MAINTENANCE, candidate.maintenance),
        (Refusal.REGION, demand.region not in {None, candidate.region}),
        (Refusal.CAPABILITIES, not demand.required_capabilities <= offered),
        (Refusal.PLAN, bool(allowed and offered) and not allowed & offered),
        (Refusal.CPU, left.cpu_millis < 0),
        (Refusal.MEMORY, left.memory_mb < 0),
        (Refusal.DISK, left.disk_mb < 0),
        (Refusal.ENGINE_UNAVAILABLE, not candidate.engine_ok),
    )
    return next((reason for reason, applies in reasons if applies), None)


def score(candidate: Candidate, wanted: Resources) -> float:
    """0 to 100: 30 % CPU, 40 % memory, 30 % disk, each as the share left after placement."""
    left = room_left(candidate, wanted)
    capacity = candidate.capacity
    return (
        30 * _share(left.cpu_millis, capacity.cpu_millis)
        + 40 * _share(left.memory_mb, capacity.memory_mb)
        + 30 * _share(left.disk_mb, capacity.disk_mb)
    )


def room_left(candidate: Candidate, wanted: Resources) -> Resources:
    """Negative where it does not fit."""
    held = candidate.reserved + wanted
    return Resources(
        candidate.capacity.cpu_millis - held.cpu_millis,
        candidate.capacity.memory_mb - held.memory_mb,
        candidate.capacity.disk_mb - held.disk_mb,
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole > 0 else 0.0
