"""`python -m tests.bench.costs [--only NAME,NAME]`: tables of medians, printed, and kept in `data/bench/costs.txt`."""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.bench.costs.bodies import by_size
from tests.bench.costs.findings import Findings
from tests.bench.costs.idle import by_idle_streams
from tests.bench.costs.latency import added_latency
from tests.bench.costs.processes import by_processes
from tests.bench.costs.routes import by_routes
from tests.bench.costs.start_time import by_start
from tests.bench.costs.users import by_users, memory
from tests.bench.peers.contender import Site, site
from tests.bench.peers.report import USUAL_FOLDER, Report

MEASUREMENTS: Mapping[str, Callable[[Site, int], Findings]] = {
    "routes": by_routes,
    "users": by_users,
    "memory": memory,
    "processes": by_processes,
    "bodies": by_size,
    "streams": by_idle_streams,
    "latency": added_latency,
    "start": by_start,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.costs")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", help=f"of {', '.join(MEASUREMENTS)}, separated by commas")
    parser.add_argument("--into", type=Path, default=USUAL_FOLDER, help="the folder of the kept report")
    arguments = parser.parse_args()
    wanted = arguments.only.split(",") if arguments.only else list(MEASUREMENTS)
    unknown = set(wanted) - set(MEASUREMENTS)
    if unknown:
        parser.error(f"no such measurement: {', '.join(sorted(unknown))}")
    report = Report(
        arguments.into / "costs.txt",
        f"What APIGate's cost depends on: medians of {arguments.rounds} rounds, wrk with 32 connections, answers of 100 bytes",
    )
    for name in wanted:
        with site() as place:
            findings = MEASUREMENTS[name](place, arguments.rounds)
        report.table(findings.title, findings.rows, findings.remarks)
    report.end()


if __name__ == "__main__":
    main()
