"""`python -m tests.bench.peers`: every contender in turn, three rounds, medians; the table is printed and kept in `data/bench/`."""

import argparse
import statistics
import sys
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path

from tests.bench.peers.aiohttp_proxy import AiohttpProxy
from tests.bench.peers.apigate import ApiGate
from tests.bench.peers.caddy import Caddy
from tests.bench.peers.contender import Contender, Lane, site
from tests.bench.peers.envoy import Envoy
from tests.bench.peers.haproxy import HaProxy
from tests.bench.peers.load import Figures, measure
from tests.bench.peers.nginx import Nginx, NginxLua
from tests.bench.table import line, table

CONTENDERS: tuple[Contender, ...] = (
    ApiGate(),
    Nginx(),
    NginxLua(),
    HaProxy(),
    Envoy(),
    Caddy(),
    AiohttpProxy(),
)
KEPT = Path("data/bench/peers.txt")

Place = tuple[Lane, str]


def measure_all(
    contenders: list[Contender], answer: str, rounds: int, seconds: int
) -> dict[Place, list[Figures]]:
    """All are up at the same time, idle but for the one whose turn it is."""
    seen: dict[Place, list[Figures]] = defaultdict(list)
    with ExitStack() as stack:
        place = stack.enter_context(site())
        running = {each.name: stack.enter_context(each.running(place)) for each in contenders}
        for number in range(rounds):
            for lane in Lane:
                for name, peer in running.items():
                    if lane not in peer.urls:
                        continue
                    url, headers = peer.urls[lane] + answer, peer.headers.get(lane, {})
                    measure(url, headers, peer.pid, 1)
                    seen[lane, name].append(measure(url, headers, peer.pid, seconds))
            line(f"round {number + 1} of {rounds}")
    return seen


def report(seen: dict[Place, list[Figures]], contenders: list[Contender], ours: str) -> None:
    for lane in Lane:
        rows = [
            ("", "requests/s", "CPU us/request", "ratio to ours", "p50 ms", "p99 ms", "MB", "does not do")
        ]
        base = _median(seen[lane, ours], "cpu_us") if seen.get((lane, ours)) else 0.0
        for each in contenders:
            figures = seen.get((lane, each.name))
            if not figures:
                continue
            cpu = _median(figures, "cpu_us")
            rows.append(
                (
                    each.name,
                    f"{_median(figures, 'requests_per_s'):.0f}",
                    f"{cpu:.1f}",
                    f"{cpu / base:.2f}" if base else "",
                    f"{_median(figures, 'p50_ms'):.2f}",
                    f"{_median(figures, 'p99_ms'):.2f}",
                    f"{_median(figures, 'resident_mb'):.0f}",
                    each.leaves_out[lane],
                )
            )
        table(str(lane), rows)
        line()


def _median(figures: list[Figures], member: str) -> float:
    return statistics.median(getattr(each, member) for each in figures)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.peers")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--answer", choices=("small", "large"), default="small", help="100 bytes, or 10 KB")
    parser.add_argument("--only", help="names, separated by commas")
    arguments = parser.parse_args()
    wanted = set(arguments.only.split(",")) if arguments.only else None
    contenders = [each for each in CONTENDERS if wanted is None or each.name in wanted]
    seen = measure_all(contenders, arguments.answer, arguments.rounds, arguments.seconds)
    report(seen, contenders, CONTENDERS[0].name)


if __name__ == "__main__":
    sys.exit(main())
