"""`python -m tests.bench.where_time_goes`: where the processor time of an exchange goes; printed, and kept in `data/bench/profile.txt`.

Three looks at the same thing: under load, what the kernel counts for the loop's thread and for the others; without sockets, what Python
alone takes; and that by parts and functions (`tests.bench.shares`).
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import uvloop

from tests.bench.exchange_cost import open_lanes, quickest
from tests.bench.peers.apigate import REPOSITORY, ApiGate
from tests.bench.peers.contender import site
from tests.bench.peers.load import measure
from tests.bench.peers.report import USUAL_FOLDER, Report
from tests.bench.peers.threads import thread_time

_SECONDS = 2
_ROUNDS = 4000
_COPIED = ("shared", "gateway", "tests")
_SHARES_MOST_S = 120


def under_load(report: Report) -> None:
    rows: list[Sequence[str]] = [
        ("", "all", "loop: Python", "loop: kernel", "threads: Python", "threads: kernel", "requests/s")
    ]
    with site() as place, ApiGate().running(place) as running:
        for lane, url in running.urls.items():
            headers = running.headers.get(lane, {})
            measure(f"{url}small", headers, running.pid, 1)
            before = thread_time(running.pid)
            found = measure(f"{url}small", headers, running.pid, _SECONDS)
            spent = thread_time(running.pid).since(before)
            requests = found.requests_per_s * _SECONDS
            parts = (spent.loop_user, spent.loop_kernel, spent.others_user, spent.others_kernel)
            each = [part / requests * 1e6 for part in (sum(parts), *parts)]
            rows.append((str(lane), *(f"{part:.1f}" for part in each), f"{found.requests_per_s:.0f}"))
    report.table("under load, us of processor time per request (threads: journal, ledger, accounts)", rows)


async def without_sockets(report: Report) -> None:
    with tempfile.TemporaryDirectory(prefix="where-time-goes-") as folder:
        async with open_lanes(Path(folder)) as lanes:
            alone = await quickest(lanes, _ROUNDS)
    report.table(
        f"Python alone, us per exchange: the quickest of {_ROUNDS} (counters in the process, so without Redis)",
        [("", "us"), *((lane, f"{cost:.1f}") for lane, cost in alone.items())],
    )


def by_part(report: Report) -> None:
    """In a copy without what was compiled: the profiler would see nothing inside it."""
    with tempfile.TemporaryDirectory(prefix="sources-") as folder:
        for package in _COPIED:
            leave_out = shutil.ignore_patterns("*.so", "__pycache__", "node_modules")
            shutil.copytree(REPOSITORY / package, Path(folder) / package, ignore=leave_out)
        command = [sys.executable, "-m", "tests.bench.shares"]
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=_SHARES_MOST_S, check=True
        )
    report.say(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.where_time_goes")
    parser.add_argument("--into", type=Path, default=USUAL_FOLDER, help="the folder of the kept report")
    arguments = parser.parse_args()
    report = Report(arguments.into / "profile.txt", "Where the processor time of an exchange goes")
    under_load(report)
    uvloop.run(without_sockets(report))
    by_part(report)
    report.end()


if __name__ == "__main__":
    main()
