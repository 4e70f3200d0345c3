"""What `/health`, `/stats` and `/metrics` show: all processes together."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

from gateway.api.reports import Health
from gateway.metering.journal import Journal
from gateway.metering.recovery import Recovery
from gateway.metering.tails import Tails
from gateway.observation.latency import percentile
from gateway.observation.process_state import ProcessState, added
from gateway.observation.upstream_health import UpstreamHealth
from gateway.routes.route import Upstream
from shared.clock import Clock

_PERCENTILES = (50, 90, 99)


@dataclass(slots=True)
class Draining:
    """Set once, when the process has been asked to end."""

    begun: bool = False


@dataclass(frozen=True, slots=True)
class RelayProcess:
    """A relay process as the operator sees it."""

    number: int
    pid: int
    state: str
    in_flight: int
    connections: int


class Processes(Protocol):
    async def states(self) -> Sequence[ProcessState]:
        """Of every process, and of those that are gone."""

    def last_states(self) -> Sequence[ProcessState]:
        """The same, without waiting: as they were a moment ago."""

    def relays(self) -> Sequence[RelayProcess]:
        """Empty when everything is one process."""

    @property
    def replaced(self) -> int:
        """Relay processes that died and were replaced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalReport:
    own: Journal
    tails: Tails
    recovery: Recovery

    def numbers(self, *, writable: bool) -> dict[str, int | bool]:
        written = self.own.written + self.tails.written
        shipped = self.own.shipped + self.tails.shipped
        return {
            "written": written,
            "shipped": shipped,
            "pending": written - shipped,
            "recovered": self.recovery.recovered,
            "unsettled": self.recovery.pending,
            "writable": writable,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayReport:
    draining: Draining
    upstreams: Callable[[], Mapping[str, Upstream]]
    upstream_health: UpstreamHealth
    journal: JournalReport
    processes: Processes
    clock: Clock
    started_at: float

    async def health(self) -> Health:
        states = {name: self.upstream_health.state(upstream) for name, upstream in self.upstreams().items()}
        return Health(self.draining.begun, states, added(self.processes.last_states()).counters)

    async def stats(self) -> Mapping[str, object]:
        total = added(await self.processes.states())
        return {
            "uptime_s": self._uptime(),
            "in_flight": total.in_flight,
            "connections": total.connections,
            "requests": total.requests,
            "latency": {lane: _latency(counts) for lane, counts in total.latency.items()},
            "refusals": total.refusals,
            "upstreams": {
                name: self._upstream(upstream, total) for name, upstream in self.upstreams().items()
            },
            "counters": {
                "state": total.counters,
                "unsettled": total.unsettled,
                "circuits": total.circuits,
                "circuit_openings": total.circuit_openings,
            },
            "journal": self.journal.numbers(writable=total.journal_writable),
            "processes": {
                "replaced": self.processes.replaced,
                "relays": [asdict(relay) for relay in self.processes.relays()],
            },
        }

    async def metrics(self) -> bytes:
        total = added(await self.processes.states())
        healthy = {
            (name, target.target): target.healthy
            for name, upstream in self.upstreams().items()
            for target in self.upstream_health.of(upstream)
        }
        return await asyncio.to_thread(self._exposition, total, healthy)

    def _exposition(self, total: ProcessState, healthy: Mapping[tuple[str, str], bool]) -> bytes:
        """Blocking, the first time: the library is imported when somebody asks, for it costs a megabyte in every process."""
        from gateway.observation.metrics import Gauges, exposition  # noqa: PLC0415 - see above

        gauges = Gauges(
            uptime_s=self._uptime(),
            relay_processes=max(1, sum(relay.state == "serving" for relay in self.processes.relays())),
            replaced=self.processes.replaced,
            journal=self.journal.numbers(writable=total.journal_writable),
            target_health=healthy,
        )
        return exposition(total, gauges)

    def _uptime(self) -> float:
        return round(self.clock.now() - self.started_at, 1)

    def _upstream(self, upstream: Upstream, total: ProcessState) -> Mapping[str, object]:
        return {
            "state": self.upstream_health.state(upstream),
            "targets": [
                {"target": found.target, "healthy": found.healthy, "checked_at": found.checked_at}
                for found in self.upstream_health.of(upstream)
            ],
            "pool": total.pools.get(upstream.name, {}),
        }


def _latency(counts: Sequence[int]) -> dict[str, float]:
    """`p50_ms`, `p90_ms`, `p99_ms`, `count`."""
    shown: dict[str, float] = {f"p{percent}_ms": percentile(counts, percent) for percent in _PERCENTILES}
    return {**shown, "count": sum(counts)}
