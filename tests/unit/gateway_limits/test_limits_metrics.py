"""The exposition: what Prometheus takes, in names that Prometheus's conventions ask for."""

import re

from prometheus_client.parser import text_string_to_metric_families

from gateway.observation.latency import BOUNDS_MS, Latency
from gateway.observation.metrics import Gauges, exposition
from gateway.observation.process_state import ProcessState, added

LATENCY = Latency()
for milliseconds in (0.05, 3.0, 3.0, 40.0, 10_000_000.0):
    LATENCY.add(milliseconds)
STATE = ProcessState(
    in_flight=3,
    connections=7,
    requests={'a "quoted" route\\': {"2xx": 4, "5xx": 1}},
    refusals={"quota_exceeded": 2},
    latency={"billing": LATENCY.counts},
    latency_sum_ms={"billing": LATENCY.sum_ms},
    counters="redis",
    circuits={"open": 1},
    circuit_openings=2,
    unsettled=1,
)
GAUGES = Gauges(
    uptime_s=12.5,
    relay_processes=2,
    replaced=1,
    journal={"written": 9, "shipped": 8, "pending": 1, "recovered": 0, "unsettled": 0, "writable": True},
    target_health={("app", "http://127.0.0.1:1"): False},
)
FAMILIES = {
    family.name: family
    for family in text_string_to_metric_families(exposition(added([STATE, STATE]), GAUGES).decode())
}


def value(family: str, sample: str, **labels: str) -> float:
    (found,) = [one for one in FAMILIES[family].samples if one.name == sample and one.labels == labels]
    return float(found.value)


def test_every_metric_is_named_and_described_as_the_conventions_ask() -> None:
    for name, family in FAMILIES.items():
        assert re.fullmatch(r"apigate(_[a-z]+)+", name), name
        assert family.documentation, name
        assert family.type in {"counter", "gauge", "histogram"}, name
        assert not re.search(r"_(total|count|sum|bucket|ms|milliseconds|kib|mib)$", name), name
        for sample in family.samples:
            assert sample.name.endswith("_total") == (family.type == "counter"), sample.name
            assert all(re.fullmatch(r"[a-z][a-z_]*", label) for label in sample.labels), sample


def test_the_numbers_of_all_processes_are_added() -> None:
    assert (
        value("apigate_requests", "apigate_requests_total", route='a "quoted" route\\', status_class="2xx")
        == 8
    )
    assert value("apigate_refusals", "apigate_refusals_total", code="quota_exceeded") == 4
    assert value("apigate_counters_circuits", "apigate_counters_circuits", state="open") == 2
    assert value("apigate_counters_circuits", "apigate_counters_circuits", state="closed") == 0
    assert value("apigate_counters_circuit_openings", "apigate_counters_circuit_openings_total") == 4
    labels = {"upstream": "app", "target": "http://127.0.0.1:1"}
    assert value("apigate_upstream_target_healthy", "apigate_upstream_target_healthy", **labels) == 0


def test_a_histogram_is_cumulative_in_seconds_and_ends_with_everything() -> None:
    name = "apigate_request_duration_seconds"
    buckets = [one for one in FAMILIES[name].samples if one.name.endswith("_bucket")]
    bounds = [float(one.labels["le"]) for one in buckets]
    counts = [one.value for one in buckets]

    assert bounds == sorted(bounds)
    assert counts == sorted(counts)
    assert (bounds[-1], counts[-1]) == (float("inf"), 10)
    assert counts[-1] == value(name, f"{name}_count", lane="billing")
    assert bounds[-2] <= BOUNDS_MS[-1] / 1000
    assert counts[-2] == 8
    assert abs(value(name, f"{name}_sum", lane="billing") - 2 * LATENCY.sum_ms / 1000) < 1e-6
