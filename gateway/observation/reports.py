"""What `/health` and `/stats` show."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway.api.reports import Health
from gateway.counters.port import Counters
from gateway.counters.settlements import Settlements
from gateway.metering.journal import Journal
from gateway.metering.recovery import Recovery
from gateway.observation.traffic import Traffic
from gateway.observation.upstream_health import UpstreamHealth
from gateway.routes.route import Upstream
from shared.clock import Clock
from shared.relay.director import UpstreamSpec


@dataclass(slots=True)
class Draining:
    """Set once, when the process has been asked to end."""

    begun: bool = False


@dataclass(frozen=True, slots=True)
class RelayState:
    """The relay's own numbers. Seams, because the relay is made after the director that reports on it."""

    in_flight: Callable[[], int]
    upstream: Callable[[UpstreamSpec], Mapping[str, object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayReport:
    draining: Draining
    upstreams: Callable[[], Mapping[str, Upstream]]
    upstream_health: UpstreamHealth
    counters: Counters
    settlements: Settlements
    journal: Journal
    recovery: Recovery
    traffic: Traffic
    relay: RelayState
    clock: Clock
    started_at: float

    async def health(self) -> Health:
        states = {name: self.upstream_health.state(upstream) for name, upstream in self.upstreams().items()}
        return Health(self.draining.begun, states, self.counters.state.value)

    async def stats(self) -> Mapping[str, object]:
        return {
            "uptime_s": round(self.clock.now() - self.started_at, 1),
            "in_flight": self.relay.in_flight(),
            "requests": self.traffic.requests(),
            "latency": self.traffic.latencies(),
            "refusals": dict(self.traffic.refusals),
            "upstreams": {name: self._upstream(upstream) for name, upstream in self.upstreams().items()},
            "counters": {"state": self.counters.state.value, "unsettled": self.settlements.pending},
            "journal": {
                "written": self.journal.written,
                "shipped": self.journal.shipped,
                "pending": self.journal.pending,
                "recovered": self.recovery.recovered,
                "unsettled": self.recovery.pending,
                "writable": self.journal.is_writable,
            },
        }

    def _upstream(self, upstream: Upstream) -> Mapping[str, object]:
        return {
            "state": self.upstream_health.state(upstream),
            "targets": [
                {"target": found.target, "healthy": found.healthy, "checked_at": found.checked_at}
                for found in self.upstream_health.of(upstream)
            ],
            "pool": self.relay.upstream(upstream.spec),
        }
