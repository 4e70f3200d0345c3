"""`python -m tests.bench.peers`: every contender in turn, three rounds, medians; printed, and kept in `data/bench/peers.txt`.

A contender that is not installed takes no part; one that does not do what its lanes say is not measured.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from tests.bench.peers.aiohttp_proxy import AiohttpProxy
from tests.bench.peers.apigate import ApiGate
from tests.bench.peers.bare_forwarder import BareForwarder
from tests.bench.peers.caddy import Caddy
from tests.bench.peers.contender import Contender, Lane, Running, Site, site
from tests.bench.peers.envoy import Envoy
from tests.bench.peers.haproxy import HaProxy
from tests.bench.peers.load import Figures, measure
from tests.bench.peers.nginx import Nginx, NginxLua
from tests.bench.peers.report import USUAL_FOLDER, Report
from tests.bench.peers.rounds import interleaved
from tests.bench.peers.self_check import LaneNotDone, check
from tests.bench.peers.targets import Place, targets
from tests.bench.table import line

OURS = ApiGate()
CONTENDERS: tuple[Contender, ...] = (
    OURS,
    Nginx(),
    NginxLua(),
    HaProxy(),
    Envoy(),
    Caddy(),
    AiohttpProxy(),
    BareForwarder(),
)
_WARM_S = 1


@contextmanager
def checked(
    contenders: Sequence[Contender], place: Site, say: Callable[[str], None]
) -> Iterator[dict[str, Running]]:
    """All that can take part, up at the same time and idle. Raises LaneNotDone when ours does not do what it says."""
    with ExitStack() as stack:
        running = {}
        for each in contenders:
            try:
                up = stack.enter_context(each.running(place))
                check(up)
            except LaneNotDone as fault:
                if each is OURS:
                    raise
                say(f"{each.name} is not measured: {fault}")
            except (FileNotFoundError, TimeoutError) as fault:
                say(f"{each.name} takes no part: {fault}")
            else:
                running[each.name] = up
        yield running


def measure_all(running: dict[str, Running], answer: str, rounds: int, seconds: int) -> dict[Place, Figures]:
    points: dict[Place, Callable[[], Figures]] = {}
    for lane in Lane:
        for name, peer in running.items():
            if lane in peer.urls:
                url, headers = peer.urls[lane] + answer, peer.headers.get(lane, {})
                measure(url, headers, peer.pid, _WARM_S)
                points[lane, name] = partial(measure, url, headers, peer.pid, seconds)
    return interleaved(points, rounds, lambda number: line(f"round {number} of {rounds}"))


def tables(report: Report, seen: dict[Place, Figures]) -> None:
    leaves_out = {each.name: each.leaves_out for each in CONTENDERS}
    for lane in Lane:
        ours = seen.get((lane, OURS.name))
        rows = [("", "CPU us/request", "of it kernel", "requests/s", "p50 ms", "p99 ms", "MB", "does not do")]
        for (of_lane, name), found in seen.items():
            if of_lane is not lane:
                continue
            base = ours or found
            rows.append(
                (
                    name,
                    _beside(found.cpu_us, base.cpu_us, 1),
                    f"{found.kernel_us:.0f}",
                    _beside(found.requests_per_s, base.requests_per_s, 0),
                    _beside(found.p50_ms, base.p50_ms, 2),
                    _beside(found.p99_ms, base.p99_ms, 2),
                    _beside(found.resident_mb, base.resident_mb, 0),
                    leaves_out[name][lane],
                )
            )
        report.table(f"{lane} (in brackets: ours is 1)", rows)


def _beside(value: float, ours: float, digits: int) -> str:
    return f"{value:.{digits}f} ({value / ours:.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.peers")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--answer", choices=("small", "large"), default="small", help="100 bytes, or 10 KiB")
    parser.add_argument("--only", help="names, separated by commas")
    parser.add_argument("--into", type=Path, default=USUAL_FOLDER, help="the folder of the kept report")
    arguments = parser.parse_args()
    wanted = set(arguments.only.split(",")) if arguments.only else None
    contenders = [each for each in CONTENDERS if wanted is None or each.name in wanted]
    report = Report(
        arguments.into / f"peers-{arguments.answer}.txt",
        f"APIGate beside its peers: one worker each, answers {arguments.answer}, wrk with 32 connections, Redis's own time not counted",
    )
    with site() as place, checked(contenders, place, report.say) as running:
        seen = measure_all(running, arguments.answer, arguments.rounds, arguments.seconds)
    tables(report, seen)
    reached = targets(seen, OURS.name)
    if reached:
        report.table("targets: our CPU per request, of theirs in the same run", reached)
    report.end()


if __name__ == "__main__":
    main()
