"""The plain numbers of one process, and how those of several add up."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

Pool = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessState:
    """`requests`: by route, then by `2xx`. `latency`: by lane, counts by the bounds of `latency.BOUNDS_MS`. `pools`: by upstream.

    `counters` is empty for a process that is gone. `circuits`: how many processes have theirs in which state.
    """

    in_flight: int = 0
    connections: int = 0
    requests: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    refusals: Mapping[str, int] = field(default_factory=dict)
    latency: Mapping[str, Sequence[int]] = field(default_factory=dict)
    latency_sum_ms: Mapping[str, float] = field(default_factory=dict)
    counters: str = ""
    circuits: Mapping[str, int] = field(default_factory=dict)
    circuit_openings: int = 0
    unsettled: int = 0
    journal_writable: bool = True
    pools: Mapping[str, Pool] = field(default_factory=dict)

    def past(self) -> "ProcessState":
        """What stays when the process is gone: what it has counted."""
        return ProcessState(
            requests=self.requests,
            refusals=self.refusals,
            latency=self.latency,
            latency_sum_ms=self.latency_sum_ms,
            circuit_openings=self.circuit_openings,
        )


def added(states: Iterable[ProcessState]) -> ProcessState:
    known = list(states)
    return ProcessState(
        in_flight=sum(state.in_flight for state in known),
        connections=sum(state.connections for state in known),
        requests=_added_by_route(state.requests for state in known),
        refusals=_added_counts(state.refusals for state in known),
        latency=_added_histograms(state.latency for state in known),
        latency_sum_ms=_added_sums(state.latency_sum_ms for state in known),
        counters=_worst_counters(state.counters for state in known),
        circuits=_added_counts(state.circuits for state in known),
        circuit_openings=sum(state.circuit_openings for state in known),
        unsettled=sum(state.unsettled for state in known),
        journal_writable=all(state.journal_writable for state in known),
        pools=_added_by_upstream(state.pools for state in known),
    )


def _worst_counters(states: Iterable[str]) -> str:
    """One process that cannot reach the counters is enough to say so."""
    known = {state for state in states if state}
    return "unavailable" if "unavailable" in known else next(iter(known), "")


def _added_counts(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    return dict(sorted(total.items()))


def _added_by_route(requests: Iterable[Mapping[str, Mapping[str, int]]]) -> dict[str, dict[str, int]]:
    by_route: dict[str, list[Mapping[str, int]]] = {}
    for routes in requests:
        for route, counts in routes.items():
            by_route.setdefault(route, []).append(counts)
    return {route: _added_counts(counts) for route, counts in sorted(by_route.items())}


def _added_histograms(latencies: Iterable[Mapping[str, Sequence[int]]]) -> dict[str, list[int]]:
    total: dict[str, list[int]] = {}
    for latency in latencies:
        for lane, counts in latency.items():
            before = total.get(lane, [0] * len(counts))
            total[lane] = [one + other for one, other in zip(before, counts, strict=True)]
    return total


def _added_sums(sums: Iterable[Mapping[str, float]]) -> dict[str, float]:
    total: dict[str, float] = {}
    for lanes in sums:
        for lane, milliseconds in lanes.items():
            total[lane] = total.get(lane, 0.0) + milliseconds
    return total


def _added_by_upstream(pools: Iterable[Mapping[str, Pool]]) -> dict[str, Pool]:
    by_name: dict[str, list[Pool]] = {}
    for found in pools:
        for name, pool in found.items():
            by_name.setdefault(name, []).append(pool)
    return {name: _added_pool(found) for name, found in by_name.items()}


def _added_pool(pools: Sequence[Pool]) -> Pool:
    numbers = ("opened", "reused", "connect_failures")
    targets: dict[object, dict[str, object]] = {}
    for pool in pools:
        for target in _targets(pool):
            known = targets.setdefault(
                target["address"], {"address": target["address"], "up": True, "busy": 0, "idle": 0}
            )
            known["up"] = bool(known["up"]) and bool(target["up"])
            known["busy"] = _number(known["busy"]) + _number(target["busy"])
            known["idle"] = _number(known["idle"]) + _number(target["idle"])
    return {
        **{name: sum(_number(pool.get(name)) for pool in pools) for name in numbers},
        "targets": list(targets.values()),
    }


def _targets(pool: Pool) -> list[dict[str, object]]:
    found = pool.get("targets")
    return [dict(target) for target in found] if isinstance(found, list) else []


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
