"""The Prometheus exposition (text format 0.0.4) of all processes together."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from typing_extensions import override

from gateway.counters.circuit import CircuitState
from gateway.observation.latency import BOUNDS_MS
from gateway.observation.process_state import ProcessState

_EVERY = 3
"""Of the histogram's bounds, every third is shown: each twice the one before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauges:
    """`target_health` by upstream and target."""

    uptime_s: float
    relay_processes: int
    replaced: int
    journal: Mapping[str, int | bool]
    target_health: Mapping[tuple[str, str], bool]


class _Snapshot(Collector):
    def __init__(self, total: ProcessState, gauges: Gauges) -> None:
        self._total = total
        self._gauges = gauges

    @override
    def collect(self) -> Iterable[Metric]:
        yield from _traffic(self._total)
        yield from _standing(self._total, self._gauges)


def exposition(total: ProcessState, gauges: Gauges) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Snapshot(total, gauges))
    return generate_latest(registry)


def _traffic(total: ProcessState) -> Iterator[Metric]:
    requests = CounterMetricFamily(
        "apigate_requests", "Requests that were forwarded and have ended.", labels=("route", "status_class")
    )
    for route, counts in total.requests.items():
        for status_class, count in counts.items():
            requests.add_metric((route, status_class), count)
    yield requests
    refusals = CounterMetricFamily(
        "apigate_refusals", "Requests that the gateway answered by itself, by code.", labels=("code",)
    )
    for code, count in total.refusals.items():
        refusals.add_metric((code,), count)
    yield refusals
    durations = HistogramMetricFamily(
        "apigate_request_duration_seconds",
        "From the request head to the end of the answer.",
        labels=("lane",),
    )
    for lane, histogram in total.latency.items():
        durations.add_metric((lane,), _buckets(histogram), total.latency_sum_ms.get(lane, 0.0) / 1000)
    yield durations


def _standing(total: ProcessState, gauges: Gauges) -> Iterator[Metric]:
    yield GaugeMetricFamily("apigate_in_flight", "Requests that are being answered.", total.in_flight)
    yield GaugeMetricFamily("apigate_connections", "Open client connections.", total.connections)
    yield GaugeMetricFamily("apigate_uptime_seconds", "Since the gateway was started.", gauges.uptime_s)
    yield GaugeMetricFamily("apigate_relay_processes", "Processes that serve.", gauges.relay_processes)
    yield CounterMetricFamily("apigate_relay_replacements", "Relay processes that died.", gauges.replaced)
    yield GaugeMetricFamily(
        "apigate_counters_up", "Whether quota and rate can be checked.", total.counters != "unavailable"
    )
    circuits = GaugeMetricFamily(
        "apigate_counters_circuits", "Processes whose circuit to Redis is in this state.", labels=("state",)
    )
    for state in CircuitState:
        circuits.add_metric((state.value,), total.circuits.get(state.value, 0))
    yield circuits
    yield CounterMetricFamily(
        "apigate_counters_circuit_openings", "Times that Redis was given up.", total.circuit_openings
    )
    yield GaugeMetricFamily(
        "apigate_counters_unsettled", "Settlements that wait for the counters.", total.unsettled
    )
    for name in ("written", "shipped", "recovered"):
        yield CounterMetricFamily(
            f"apigate_journal_{name}", f"Usage events {name} since the start.", gauges.journal[name]
        )
    yield GaugeMetricFamily(
        "apigate_journal_pending", "Usage events that are not in the ledger yet.", gauges.journal["pending"]
    )
    yield GaugeMetricFamily(
        "apigate_journal_writable", "Whether usage can be recorded.", gauges.journal["writable"]
    )
    health = GaugeMetricFamily(
        "apigate_upstream_target_healthy", "By the upstream's own health path.", labels=("upstream", "target")
    )
    for (upstream, target), healthy in gauges.target_health.items():
        health.add_metric((upstream, target), healthy)
    yield health


def _buckets(counts: Sequence[int]) -> list[tuple[str, float]]:
    """Cumulative, by upper bound in seconds."""
    buckets: list[tuple[str, float]] = []
    seen = 0
    for place, bound in enumerate(BOUNDS_MS, start=1):
        seen += counts[place - 1]
        if place % _EVERY == 0:
            buckets.append((f"{bound / 1000:.6g}", seen))
    return [*buckets, ("+Inf", sum(counts))]
