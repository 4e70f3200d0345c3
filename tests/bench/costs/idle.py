"""Event streams that are open and idle beside the load, in the same process."""

from contextlib import ExitStack
from functools import partial
from urllib.parse import urlsplit

from tests.bench.costs.findings import Findings
from tests.bench.peers.apigate import ApiGate
from tests.bench.peers.contender import Lane, Site
from tests.bench.peers.load import measure
from tests.bench.peers.rounds import interleaved
from tests.bench.plain_origin import plain_origin
from tests.bench.relay_process import raise_file_limit
from tests.bench.sse_delay import open_stream, send_event

_STREAMS = 2_000
_SECONDS = 1


def by_idle_streams(site: Site, rounds: int) -> Findings:
    raise_file_limit()
    with ExitStack() as stack:
        origin = stack.enter_context(plain_origin())
        points = {}
        open_streams = []
        for streams in (0, _STREAMS):
            gateway = ApiGate(f"idle-{streams}", streams_port=origin.port)
            running = stack.enter_context(gateway.running(site))
            url = f"{running.urls[Lane.PLAIN]}small"
            for _ in range(streams):
                pair = open_stream(urlsplit(url).port or 80, origin)
                open_streams.append(pair)
                for end in pair:
                    stack.enter_context(end)
            points[streams] = partial(measure, url, {}, running.pid, _SECONDS)
            points[streams]()
        seen = interleaved(points, rounds)
        for client, upstream in open_streams:
            send_event(client, upstream)
    return Findings(
        "idle event streams beside the load (public lane); each still carries an event afterwards",
        [
            ("", "CPU us/request", "requests/s", "p50 ms", "p99 ms", "MB"),
            *(
                (
                    f"{streams:,}",
                    f"{found.cpu_us:.1f}",
                    f"{found.requests_per_s:.0f}",
                    f"{found.p50_ms:.2f}",
                    f"{found.p99_ms:.2f}",
                    f"{found.resident_mb:.0f}",
                )
                for streams, found in seen.items()
            ),
        ],
    )
