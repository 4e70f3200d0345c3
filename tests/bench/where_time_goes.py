"""`python -m tests.bench.where_time_goes`: where the processor time of an exchange goes; printed, and kept in `data/bench/profile.txt`.

Three looks at the same thing: under load, what the kernel counts for the loop's thread and for the others; without sockets, what Python
alone takes; and that by parts and functions, from the profiler, whose own cost falls on whoever calls most: shares, not microseconds.
"""

import argparse
import io
import pstats
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import uvloop

from tests.bench.exchange_cost import PROFILED, open_lanes, profile, quickest
from tests.bench.peers.apigate import REPOSITORY, ApiGate
from tests.bench.peers.contender import site
from tests.bench.peers.load import measure
from tests.bench.peers.report import USUAL_FOLDER, Report
from tests.bench.peers.threads import thread_time

_SECONDS = 2
_ROUNDS = 4000
_FUNCTIONS = 30
_PARTS = (
    "shared/relay",
    "shared",
    "gateway/steps",
    "gateway/rules",
    "gateway/routes",
    "gateway/tokens",
    "gateway/accounts",
    "gateway/counters",
    "gateway/metering",
    "gateway/observation",
    "gateway",
)


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
            text = io.StringIO()
            profiles = {lane: profile(once, text) for lane, once in lanes.items()}
    parts = {lane: by_part(stats) for lane, stats in profiles.items()}
    report.table("shares of it by part (the profiler's)", _shares(parts))
    profiles["billing"].print_stats(_FUNCTIONS)
    shown = text.getvalue().replace(f"{REPOSITORY}/", "")
    report.say(f"billing lane by function, {PROFILED} exchanges\n{shown}")


def by_part(stats: pstats.Stats) -> Mapping[str, float]:
    """The share of each part, from 0 to 1."""
    taken: dict[str, float] = defaultdict(float)
    for (file, _, _), (_, _, own_time, _, _) in stats.stats.items():  # type: ignore[attr-defined]
        taken[_part(file)] += own_time
    whole = sum(taken.values())
    return {part: seconds / whole for part, seconds in taken.items()}


def _part(file: str) -> str:
    if file == "~":
        return "built into Python, and its C libraries"
    inside = file.removeprefix(f"{REPOSITORY}/")
    return next((part for part in _PARTS if inside.startswith(f"{part}/")), "Python's library")


def _shares(parts: Mapping[str, Mapping[str, float]]) -> Sequence[Sequence[str]]:
    names = sorted(
        {part for of_lane in parts.values() for part in of_lane},
        key=lambda part: -parts["billing"].get(part, 0),
    )
    return [
        ("", *parts),
        *((name, *(f"{of_lane.get(name, 0):.0%}" for of_lane in parts.values())) for name in names),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.where_time_goes")
    parser.add_argument("--into", type=Path, default=USUAL_FOLDER, help="the folder of the kept report")
    arguments = parser.parse_args()
    report = Report(arguments.into / "profile.txt", "Where the processor time of an exchange goes")
    under_load(report)
    uvloop.run(without_sockets(report))


if __name__ == "__main__":
    main()
