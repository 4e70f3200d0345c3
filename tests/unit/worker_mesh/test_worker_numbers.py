"""Numbers out of what Docker and the kernel say."""

from typing import Any

import pytest

from worker.mesh.traffic import Traffic
from worker.stats.container_numbers import numbers_between, read_counters, total_of
from worker.stats.host_numbers import read_cpu, read_load, read_memory

CGROUP_V1: dict[str, Any] = {
    "cpu_stats": {
        "cpu_usage": {"total_usage": 3_000, "percpu_usage": [1, 2]},
        "system_cpu_usage": 100_000,
        "online_cpus": 2,
    },
    "memory_stats": {"usage": 1000, "limit": 4000, "stats": {"total_inactive_file": 400, "inactive_file": 1}},
    "networks": {"eth0": {"rx_bytes": 5, "tx_bytes": 6}, "eth1": {"rx_bytes": 10, "tx_bytes": 20}},
    "blkio_stats": {
        "io_service_bytes_recursive": [
            {"major": 8, "op": "Read", "value": 7},
            {"major": 8, "op": "Write", "value": 8},
            {"major": 8, "op": "Total", "value": 15},
            {"major": 9, "op": "Read", "value": 100},
        ]
    },
    "pids_stats": {"current": 3},
}
CGROUP_V2: dict[str, Any] = {
    "cpu_stats": {"cpu_usage": {"total_usage": 4_000}, "system_cpu_usage": 110_000, "online_cpus": 2},
    "memory_stats": {"usage": 1000, "limit": 4000, "stats": {"inactive_file": 250}},
    "blkio_stats": {"io_service_bytes_recursive": [{"op": "read", "value": 7}, {"op": "write", "value": 8}]},
    "pids_stats": {"current": 3},
}
STOPPED: dict[str, Any] = {
    "cpu_stats": {"cpu_usage": {"total_usage": 0}},
    "memory_stats": {},
    "blkio_stats": {"io_service_bytes_recursive": None},
    "pids_stats": {},
}


def test_both_generations_of_cgroups_are_read() -> None:
    v1, v2 = read_counters(CGROUP_V1), read_counters(CGROUP_V2)

    assert (v1.memory, v2.memory) == (600, 750)
    assert (v1.block_read, v1.block_write, v2.block_read, v2.block_write) == (107, 8, 7, 8)
    assert (v1.network_rx, v1.network_tx, v2.network_rx) == (15, 26, 0)


def test_cpu_is_the_share_of_all_cores_times_the_cores() -> None:
    before, now = read_counters(CGROUP_V1), read_counters(CGROUP_V2)

    # 1000 ns of 10000 ns that two cores had: a fifth of one core.
    assert numbers_between("web", before, now).cpu_percent == 20.0
    assert numbers_between("web", None, now).cpu_percent == 0.0
    assert numbers_between("web", now, before).cpu_percent == 0.0


def test_a_stopped_container_has_zeros() -> None:
    numbers = numbers_between("web", None, read_counters(STOPPED))

    assert (numbers.memory_percent, numbers.cpu_percent, numbers.pids) == (0.0, 0.0, 0)


def test_the_total_adds_up() -> None:
    one = numbers_between("web", None, read_counters(CGROUP_V1))
    total = total_of([one, one])

    assert total["memory_usage_bytes"] == 1200
    assert total["memory_percent"] == 15.0
    assert "name" not in total


def test_the_kernels_texts_are_read() -> None:
    cpu = read_cpu(
        "cpu  10 1 20 100 30 2 3 4 9 0\ncpu0 1 1 1 1 1 1 1 1 0 0\ncpu1 1 1 1 1 1 1 1 1 0 0\nintr 5\n"
    )

    assert (cpu.busy, cpu.total, cpu.cores) == (40, 170, 2)
    assert read_memory("MemTotal: 10 kB\nMemFree: 1 kB\nMemAvailable:   4 kB\nHugePages_Total: 0\n") == (
        10240,
        4096,
    )
    assert read_load("0.50 1.25 2.00 1/100 4242\n") == (0.5, 1.25, 2.0)


def test_latency_is_known_within_a_factor_of_two() -> None:
    traffic = Traffic()
    for _ in range(95):
        traffic.forwarded("p", 200, 1, 2, 3.0)
    for _ in range(5):
        traffic.forwarded("p", 502, 0, 0, 900.0)
    traffic.refused("p", 401)
    numbers = traffic.numbers("p")

    assert numbers.latency_p95_ms == 4.0
    assert numbers.latency_mean_ms == pytest.approx(47.85)
    assert (numbers.total, numbers.by_class["2xx"], numbers.by_class["4xx"], numbers.by_class["5xx"]) == (
        101,
        95,
        1,
        5,
    )
    traffic.forget("p")
    assert traffic.numbers("p").total == 0
