"""What this machine has and what of it is in use, read from the kernel."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

_MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Resources:
    cpu_cores: float
    memory_mb: int
    disk_mb: int

    def to_json(self) -> dict[str, float]:
        return {"cpu_cores": self.cpu_cores, "memory_mb": self.memory_mb, "disk_mb": self.disk_mb}


@dataclass(frozen=True, slots=True)
class Ticks:
    """The kernel's CPU clock since boot: all of it, and the part that was idle."""

    total: int
    idle: int


class Machine:
    """Blocking. `disk_of` is the folder whose file system counts."""

    def __init__(self, disk_of: Path) -> None:
        self._disk_of = disk_of
        self._ticks = _ticks()

    def capacity(self) -> Resources:
        memory = _memory_kb()
        disk = shutil.disk_usage(self._disk_of)
        return Resources(os.cpu_count() or 1, memory["MemTotal"] // 1024, disk.total // _MEGABYTE)

    def used(self) -> Resources:
        """CPU as the average since the last call."""
        before, self._ticks = self._ticks, _ticks()
        memory = _memory_kb()
        disk = shutil.disk_usage(self._disk_of)
        cores = busy_share(before, self._ticks) * (os.cpu_count() or 1)
        used_kb = memory["MemTotal"] - memory["MemAvailable"]
        return Resources(round(cores, 3), used_kb // 1024, disk.used // _MEGABYTE)


def busy_share(before: Ticks, after: Ticks) -> float:
    """From 0 to 1."""
    total = after.total - before.total
    return 0.0 if total <= 0 else max(0.0, 1 - (after.idle - before.idle) / total)


def _ticks() -> Ticks:
    # cpu user nice system idle iowait irq softirq steal [guest ...]; guest time is part of user time already.
    columns = [
        int(column) for column in Path("/proc/stat").read_text(encoding="ascii").split("\n")[0].split()[1:9]
    ]
    return Ticks(sum(columns), columns[3] + columns[4])


def _memory_kb() -> dict[str, int]:
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    return {name: int(rest.split()[0]) for name, rest in (line.split(":", 1) for line in lines)}
