"""The numbers of this process, as they are now."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway.counters.opening import Counting
from gateway.metering.journal import Journal
from gateway.observation.process_state import ProcessState
from gateway.observation.traffic import Traffic
from gateway.routes.route import Upstream
from shared.relay.director import UpstreamSpec


@dataclass(frozen=True, slots=True)
class RelayState:
    """The relay's own numbers. Seams, because the relay is made after the director that reports on it."""

    in_flight: Callable[[], int]
    connections: Callable[[], int]
    upstream: Callable[[UpstreamSpec], Mapping[str, object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnProcess:
    """`relay` is None in the control process, which relays nothing."""

    traffic: Traffic
    relay: RelayState | None
    upstreams: Callable[[], Mapping[str, Upstream]]
    counting: Counting
    journal: Journal

    def state(self) -> ProcessState:
        relay = self.relay
        latency = self.traffic.latency
        redis = self.counting.redis
        return ProcessState(
            in_flight=relay.in_flight() if relay else 0,
            connections=relay.connections() if relay else 0,
            requests=self.traffic.requests(),
            refusals=dict(self.traffic.refusals),
            latency={lane.value: list(found.counts) for lane, found in latency.items()},
            latency_sum_ms={lane.value: found.sum_ms for lane, found in latency.items()},
            counters=self.counting.counters.state.value,
            circuits={redis.link.circuit.state.value: 1} if redis else {},
            circuit_openings=redis.link.circuit.openings if redis else 0,
            unsettled=self.counting.settlements.pending,
            journal_writable=self.journal.is_writable,
            pools=(
                {name: relay.upstream(upstream.spec) for name, upstream in self.upstreams().items()}
                if relay
                else {}
            ),
        )
