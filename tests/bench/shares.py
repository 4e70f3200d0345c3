"""`python -m tests.bench.shares`: the parts and functions that an exchange's time goes to, when the interpreter runs the sources.

The profiler sees nothing inside compiled code: `where_time_goes` runs this in a copy of the sources. Its own cost falls on whoever calls most:
these are shares, not microseconds.
"""

import io
import pstats
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import uvloop

from tests.bench.exchange_cost import PROFILED, open_lanes, profile
from tests.bench.table import rendered

ROOT = Path(__file__).resolve().parents[2]
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


async def profiled() -> str:
    text = io.StringIO()
    with tempfile.TemporaryDirectory(prefix="shares-") as folder:
        async with open_lanes(Path(folder)) as lanes:
            profiles = {lane: profile(once, text) for lane, once in lanes.items()}
    parts = {lane: by_part(stats) for lane, stats in profiles.items()}
    profiles["billing"].print_stats(_FUNCTIONS)
    shown = text.getvalue().replace(f"{ROOT}/", "")
    table = rendered("shares by part, of the sources as the interpreter runs them", _shares(parts))
    return f"{table}\n\nbilling lane by function, {PROFILED} exchanges\n{shown}"


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
    inside = file.removeprefix(f"{ROOT}/")
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


if __name__ == "__main__":
    sys.stdout.write(uvloop.run(profiled()))
