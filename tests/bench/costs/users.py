"""The number of users whose tokens come in turn. A process keeps 10,000 in memory; of a million it knows none when its turn comes."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.bench.costs.findings import Findings, verdict
from tests.bench.costs.population import populate
from tests.bench.peers.apigate import ApiGate, data_folder
from tests.bench.peers.contender import Site, own_folder
from tests.bench.peers.load import Figures, measure
from tests.bench.peers.process_cost import family, own_resident_bytes, resident_bytes
from tests.bench.peers.rounds import interleaved
from tests.bench.table import line

KEPT = 10_000
_MANY = 1_000_000
_SAMPLE = 60_000
_SECONDS = 1
_ROUNDS_FOR_BOTH = 4
_MOST_MB = 100.0
_WALK = Path(__file__).with_name("walk_tokens.lua")


@dataclass(slots=True)
class Walk:
    """Goes round the tokens, each load taking up where the last one ended."""

    url: str
    pid: int
    tokens: Path
    walked: int = 0

    def load(self, seconds: int) -> Figures:
        script = (str(_WALK), str(self.tokens), str(self.walked))
        figures = measure(self.url, {}, self.pid, seconds, script)
        # wrk says how many, but for those that it had under way at the end.
        self.walked += int(figures.requests_per_s * seconds * 1.05)
        return figures

    def go_round(self, times: int) -> None:
        end = self.walked + times * KEPT * 1.1
        while self.walked < end:
            self.load(1)


def by_users(site: Site, rounds: int) -> Findings:
    with ExitStack() as stack:
        line(f"  making {_MANY:,} users")
        many = stack.enter_context(_populated(site, _MANY, _SAMPLE))
        few = stack.enter_context(_populated(site, KEPT, KEPT))
        fresh = resident_bytes(few.pid) / 1e6
        # What is known of a token is read again after a minute: from here on nothing may take long.
        few.go_round(1)
        one = Walk(few.url, few.pid, few.tokens.with_suffix(".one"))
        one.tokens.write_text(few.tokens.read_text().split("\n", 1)[0] + "\n")
        points = {1: one, KEPT: few, _MANY: many}
        seen = interleaved({users: partial(walk.load, _SECONDS) for users, walk in points.items()}, rounds)
    return Findings(
        "number of users (authenticated lane), a token each, in turn",
        [
            ("", "CPU us/request", "of it kernel", "requests/s", "p50 ms", "p99 ms"),
            *(_row(f"{users:,}", found) for users, found in seen.items()),
        ],
        [
            f"beyond {KEPT:,} every request has its signature verified and its session read from SQLite",
            f"one process that does everything: {fresh:.0f} MB at first, {seen[KEPT].resident_mb:.0f} MB with {KEPT:,} tokens",
        ],
    )


def memory(site: Site, _rounds: int) -> Findings:
    """Of two relay processes, which share the connections: the tokens go round until both know nearly all of them."""
    with _populated(site, KEPT, KEPT, workers=2) as walk:
        fresh = max(_relay_processes_mb(walk.pid))
        walk.go_round(_ROUNDS_FOR_BOTH)
        full = max(_relay_processes_mb(walk.pid))
    return Findings(
        "memory of a relay process",
        [("", "MB"), ("at first", f"{fresh:.0f}"), (f"with {KEPT:,} cached tokens", f"{full:.0f}")],
        [verdict(f"a relay process with {KEPT:,} cached tokens", full, _MOST_MB, "MB")],
    )


def _relay_processes_mb(root: int) -> Sequence[float]:
    return [
        own_resident_bytes(pid) / 1e6
        for pid in family(root)
        if b"gateway.processes.relay" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]


def _row(name: str, found: Figures) -> Sequence[str]:
    return (
        name,
        f"{found.cpu_us:.1f}",
        f"{found.kernel_us:.0f}",
        f"{found.requests_per_s:.0f}",
        f"{found.p50_ms:.2f}",
        f"{found.p99_ms:.2f}",
    )


@contextmanager
def _populated(site: Site, users: int, tokens: int, workers: int = 1) -> Iterator[Walk]:
    place = own_folder(site, f"users-{users}-{workers}")
    path = place.folder / "tokens"
    path.write_text("".join(f"{token}\n" for token in populate(data_folder(place), users, tokens)))
    with ApiGate(workers=workers).serving(place) as (pid, port):
        yield Walk(f"http://127.0.0.1:{port}/identity/small", pid, path)
