"""What a program and its children have used, as the kernel counts it (`/proc`)."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def family(root: int) -> Iterator[int]:
    """The process and all its descendants."""
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        yield pid
        for task in Path(f"/proc/{pid}/task").glob("*"):
            waiting.extend(int(child) for child in (task / "children").read_text().split())


@dataclass(frozen=True, slots=True)
class CpuTime:
    all_s: float
    kernel_s: float


def cpu_time(root: int) -> CpuTime:
    """Of the whole family, since each began."""
    user = kernel = 0
    for pid in family(root):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
        user, kernel = user + int(fields[11]), kernel + int(fields[12])
    return CpuTime((user + kernel) / _TICKS, kernel / _TICKS)


def resident_bytes(root: int) -> int:
    """Of the whole family; what they share counts for each."""
    return sum(own_resident_bytes(pid) for pid in family(root))


def own_resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
