"""What a run has found, as text: printed at once, and kept."""

import os
import platform
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from shared.clock import SystemClock
from tests.bench.table import line, rendered

USUAL_FOLDER = Path("data/bench")


class Report:
    """The file is written anew with each piece, so that a run that is broken off leaves what it has."""

    def __init__(self, path: Path, command: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._pieces: list[str] = []
        today = datetime.fromtimestamp(SystemClock().now(), UTC).date()
        self.say(f"{command}\n{today}, {machine()}\n")

    def say(self, text: str) -> None:
        line(text)
        self._pieces.append(text)
        self._path.write_text("\n".join(self._pieces) + "\n")

    def table(self, title: str, rows: Iterable[Sequence[str]], remarks: Iterable[str] = ()) -> None:
        self.say("\n".join([rendered(title, rows), *(f"  {remark}" for remark in remarks), ""]))

    def end(self) -> None:
        self.say(
            f"load {os.getloadavg()[0]:.1f} at the end; with one load generator and nothing else it is about 2"
        )


def machine() -> str:
    """Figures mean nothing without it. The load is what else ran on the machine when the measuring began."""
    cpu = next(
        (
            text.split(":")[1].strip()
            for text in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in text
        ),
        platform.machine(),
    )
    return (
        f"{os.cpu_count()} x {cpu}, Linux {platform.release()}, Python {platform.python_version()},"
        f" load {os.getloadavg()[0]:.1f} at the beginning"
    )
