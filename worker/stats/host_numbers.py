"""The machine's numbers out of the texts of /proc. Pure.

Facts (proc(5)): `/proc/stat` counts ticks per state since boot, guest time being part of user time already; `idle` and `iowait` are the time not
worked. `MemAvailable` is what can be had without swapping, so used memory is the rest.
"""

from dataclasses import dataclass

from worker.stats.container_numbers import percent


@dataclass(frozen=True, slots=True)
class CpuTicks:
    busy: int
    total: int
    cores: int


@dataclass(frozen=True, slots=True)
class HostReading:
    """Bytes; `uptime` in seconds since the machine booted; `containers` is None when the engine did not answer."""

    cpu: CpuTicks
    memory_total: int
    memory_available: int
    disk_total: int
    disk_used: int
    disk_free: int
    load: tuple[float, float, float]
    uptime: float
    projects: int
    containers: int | None


def read_cpu(proc_stat: str) -> CpuTicks:
    lines = proc_stat.splitlines()
    user, nice, system, idle, iowait, irq, softirq, steal = (int(field) for field in lines[0].split()[1:9])
    busy = user + nice + system + irq + softirq + steal
    cores = sum(line.startswith("cpu") for line in lines) - 1
    return CpuTicks(busy, busy + idle + iowait, cores)


def read_memory(proc_meminfo: str) -> tuple[int, int]:
    """Total and available bytes."""
    values = {
        name: int(rest.split()[0]) * 1024
        for name, _, rest in (line.partition(":") for line in proc_meminfo.splitlines())
    }
    return values["MemTotal"], values["MemAvailable"]


def read_load(proc_loadavg: str) -> tuple[float, float, float]:
    """Of 1, 5 and 15 minutes."""
    one, five, fifteen = (float(field) for field in proc_loadavg.split()[:3])
    return one, five, fifteen


def report_between(before: HostReading, now: HostReading, version: str) -> dict[str, object]:
    used = now.memory_total - now.memory_available
    return {
        "cpu_usage": percent(now.cpu.busy - before.cpu.busy, now.cpu.total - before.cpu.total),
        "cpu_cores": now.cpu.cores,
        "memory_used": used,
        "memory_total": now.memory_total,
        "memory_percent": percent(used, now.memory_total),
        "disk_used": now.disk_used,
        "disk_total": now.disk_total,
        # As df has it: of what ordinary users may use, without the blocks that only root may take.
        "disk_percent": percent(now.disk_used, now.disk_used + now.disk_free),
        "load": list(now.load),
        "projects": now.projects,
        "containers": now.containers,
        "uptime": int(now.uptime),
        "version": version,
    }
