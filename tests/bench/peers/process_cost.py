"""What a program and its children have used, as the kernel counts it (`/proc`)."""

import os
from collections.abc import Iterator
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


def cpu_seconds(root: int) -> float:
    """User and system time of the whole family."""
    ticks = 0
    for pid in family(root):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS


def resident_bytes(root: int) -> int:
    return sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in family(root)) * _PAGE
