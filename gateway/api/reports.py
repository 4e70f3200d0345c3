"""What the control app asks of the rest of the gateway. The seams to routes, relay and counters."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.accounts.principal import PlanId
from shared.config import Secret


class Plan(Protocol):
    """`requests_per_month` -1 is unlimited; `limits_text` is compact JSON."""

    @property
    def plan_id(self) -> PlanId: ...
    @property
    def requests_per_month(self) -> int: ...
    @property
    def rate_per_minute(self) -> int: ...
    @property
    def burst(self) -> int: ...
    @property
    def limits_text(self) -> str: ...


class Plans(Protocol):
    @property
    def by_id(self) -> Mapping[PlanId, Plan]: ...
    @property
    def default(self) -> Plan: ...
    def of(self, plan_id: PlanId) -> Plan: ...


@dataclass(frozen=True, slots=True)
class Health:
    """`counters` is `redis`, `local` or `unavailable`. While draining, `/health` is 503."""

    draining: bool
    upstreams: Mapping[str, object]
    counters: str


class HealthReport(Protocol):
    async def health(self) -> Health: ...


class StatsReport(Protocol):
    async def stats(self) -> Mapping[str, object]:
        """The body of `/stats`: JSON values only."""

    async def metrics(self) -> bytes:
        """The Prometheus text format, version 0.0.4."""


class RouteFaults(Exception):
    """The route file was not taken, and the routes are as they were. `faults` are sentences, each with its line."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("The route file is invalid; the routes are as they were.")
        self.faults = faults


class Routes(Protocol):
    def view(self) -> Sequence[Mapping[str, object]]:
        """In the order in which they are tried: JSON values only."""

    async def reload(self) -> None:
        """Every process has the new routes when it returns. Raises RouteFaults."""


@dataclass(frozen=True, slots=True)
class Operator:
    """What the operator sees, and the Bearer that proves one from afar (None: only loopback may)."""

    health: HealthReport
    stats: StatsReport
    token: Secret | None


CurrentPlans = Callable[[], Plans]
"""The plans of the route file as it is now: a reload replaces them."""
