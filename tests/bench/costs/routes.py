"""The number of routes. What is asked for matches none of them but the last."""

import time
from contextlib import ExitStack
from functools import partial

from gateway.routes.compiling import load_table
from gateway.rules.canonical_target import canonical_target
from shared.relay.director import Peer, RequestHead
from tests.bench.costs.findings import Findings, verdict
from tests.bench.peers.apigate import ROUTES, ApiGate, route_file
from tests.bench.peers.contender import Lane, Site
from tests.bench.peers.load import measure
from tests.bench.peers.rounds import interleaved

_COUNTS = (ROUTES, 100, 1000)
_MOST_MORE_US = 5.0
_SECONDS = 1
_TRIES, _AT_ONCE = 300, 100


def by_routes(site: Site, rounds: int) -> Findings:
    with ExitStack() as stack:
        points = {}
        for count in _COUNTS:
            running = stack.enter_context(ApiGate(f"routes-{count}", routes=count).running(site))
            points[count] = partial(measure, f"{running.urls[Lane.PLAIN]}small", {}, running.pid, _SECONDS)
            points[count]()
        seen = interleaved(points, rounds)
    alone = {count: _match_us(count) for count in _COUNTS}
    few, many = _COUNTS[0], _COUNTS[-1]
    return Findings(
        "number of routes (public lane)",
        [
            ("", "CPU us/request", "of it the match", "requests/s"),
            *(
                (
                    str(count),
                    f"{seen[count].cpu_us:.1f}",
                    f"{alone[count]:.2f}",
                    f"{seen[count].requests_per_s:.0f}",
                )
                for count in _COUNTS
            ),
        ],
        [
            verdict(
                f"{many} cost more than {few}, by the match", alone[many] - alone[few], _MOST_MORE_US, "us"
            )
        ],
    )


def _match_us(count: int) -> float:
    """The least of many tries, which other work on the machine hardly disturbs."""
    table = load_table(route_file(1, count), {})
    head = RequestHead(
        request_id="one",
        method="GET",
        target="/small",
        host="a",
        http11=True,
        fields=[],
        peer=Peer("127.0.0.1", 1),
        content_length=0,
        websocket=False,
    )
    target = canonical_target(head.target)
    least = float("inf")
    for _ in range(_TRIES):
        begun = time.perf_counter()
        for _ in range(_AT_ONCE):
            table.match(head, target)
        least = min(least, time.perf_counter() - begun)
    return least / _AT_ONCE * 1e6
