"""One container's numbers out of two readings of the engine's counters. Pure.

Facts (Docker Engine API, ContainerStats):
- CPU: the container's share of what all cores did between the readings, times the cores: 100 is one core fully used.
- Memory: `usage` counts the page cache. What the kernel can drop at once (`inactive_file`; `total_inactive_file` in cgroup v1) is not
  used memory.
- Block: cgroup v1 says `Read`, v2 `read`, and an engine without the controller sends null.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Counters:
    """One reading. CPU in nanoseconds, the rest in bytes."""

    cpu_ns: int
    system_ns: int
    cores: int
    memory: int
    memory_limit: int
    network_rx: int
    network_tx: int
    block_read: int
    block_write: int
    pids: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerNumbers:
    """The field names of the answers."""

    name: str
    cpu_percent: float
    memory_usage_bytes: int
    memory_limit_bytes: int
    memory_percent: float
    network_rx_bytes: int
    network_tx_bytes: int
    block_read_bytes: int
    block_write_bytes: int
    pids: int


def read_counters(stats: Mapping[str, Any]) -> Counters:
    """A container that is not running has none of these: zeros."""
    cpu = stats.get("cpu_stats") or {}
    usage = cpu.get("cpu_usage") or {}
    memory = stats.get("memory_stats") or {}
    networks = (stats.get("networks") or {}).values()
    blocks = (stats.get("blkio_stats") or {}).get("io_service_bytes_recursive") or []
    return Counters(
        cpu_ns=usage.get("total_usage") or 0,
        system_ns=cpu.get("system_cpu_usage") or 0,
        cores=cpu.get("online_cpus") or len(usage.get("percpu_usage") or []) or 1,
        memory=_used_memory(memory),
        memory_limit=memory.get("limit") or 0,
        network_rx=sum(network["rx_bytes"] for network in networks),
        network_tx=sum(network["tx_bytes"] for network in networks),
        block_read=_blocks(blocks, "read"),
        block_write=_blocks(blocks, "write"),
        pids=(stats.get("pids_stats") or {}).get("current") or 0,
    )


def numbers_between(name: str, before: Counters | None, now: Counters) -> ContainerNumbers:
    """`before` is None for a container that was not there: its CPU is then 0."""
    return ContainerNumbers(
        name=name,
        cpu_percent=_cpu_percent(before, now),
        memory_usage_bytes=now.memory,
        memory_limit_bytes=now.memory_limit,
        memory_percent=percent(now.memory, now.memory_limit),
        network_rx_bytes=now.network_rx,
        network_tx_bytes=now.network_tx,
        block_read_bytes=now.block_read,
        block_write_bytes=now.block_write,
        pids=now.pids,
    )


def total_of(containers: Iterable[ContainerNumbers]) -> dict[str, object]:
    """Sums, without a name; the percentage of memory is of all limits together."""
    rows = [asdict(container) for container in containers]
    total = {
        name: sum(row[name] for row in rows)
        for name in ContainerNumbers.__dataclass_fields__
        if name != "name"
    }
    total["cpu_percent"] = round(total["cpu_percent"], 2)
    total["memory_percent"] = percent(total["memory_usage_bytes"], total["memory_limit_bytes"])
    return total


def percent(part: float, whole: float) -> float:
    return round(100.0 * part / whole, 2) if whole > 0 else 0.0


def _cpu_percent(before: Counters | None, now: Counters) -> float:
    # A container that was restarted counts from zero again.
    if before is None or now.cpu_ns < before.cpu_ns or now.system_ns <= before.system_ns:
        return 0.0
    return percent((now.cpu_ns - before.cpu_ns) * now.cores, now.system_ns - before.system_ns)


def _used_memory(memory: Mapping[str, Any]) -> int:
    usage: int = memory.get("usage") or 0
    details = memory.get("stats") or {}
    droppable: int = details.get("total_inactive_file", details.get("inactive_file", 0))
    return usage - droppable if droppable < usage else usage


def _blocks(entries: Iterable[Mapping[str, Any]], operation: str) -> int:
    return sum(entry["value"] for entry in entries if entry["op"].lower() == operation)
