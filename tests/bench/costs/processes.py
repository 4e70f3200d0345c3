"""The number of relay processes. Load, upstream and Redis have the same two cores, so that two processes cannot be twice as fast here."""

from contextlib import ExitStack
from functools import partial

from tests.bench.costs.findings import Findings
from tests.bench.peers.apigate import ApiGate
from tests.bench.peers.contender import Lane, Site
from tests.bench.peers.load import measure
from tests.bench.peers.rounds import interleaved

_SECONDS = 1


def by_processes(site: Site, rounds: int) -> Findings:
    with ExitStack() as stack:
        points = {}
        for workers in (1, 2):
            running = stack.enter_context(ApiGate(f"processes-{workers}", workers=workers).running(site))
            for lane in (Lane.PLAIN, Lane.BILLING):
                url, headers = running.urls[lane] + "small", running.headers.get(lane, {})
                points[workers, lane] = partial(measure, url, headers, running.pid, _SECONDS)
                points[workers, lane]()
        seen = interleaved(points, rounds)
    return Findings(
        "number of relay processes (more than one: and one that keeps the books, and one that stands by)",
        [
            ("", "", "CPU us/request", "requests/s", "p50 ms", "p99 ms", "MB of all"),
            *(
                (
                    str(workers),
                    str(lane),
                    f"{found.cpu_us:.1f}",
                    f"{found.requests_per_s:.0f}",
                    f"{found.p50_ms:.2f}",
                    f"{found.p99_ms:.2f}",
                    f"{found.resident_mb:.0f}",
                )
                for (workers, lane), found in seen.items()
            ),
        ],
    )
