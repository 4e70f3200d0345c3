"""What a gateway adds to the latency of requests that come at a constant rate, when it has little to do."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from tests.bench.costs.findings import Findings
from tests.bench.peers.apigate import ApiGate
from tests.bench.peers.constant_rate import Latencies, constant_rate
from tests.bench.peers.contender import Contender, Lane, Site
from tests.bench.peers.envoy import Envoy
from tests.bench.peers.nginx import Nginx
from tests.bench.peers.rounds import interleaved
from tests.bench.table import line

_RATE = 1_000
_SECONDS = 1.5
_WARM_S = 0.5


def added_latency(site: Site, rounds: int) -> Findings:
    contenders: tuple[Contender, ...] = (Nginx(), Envoy(), ApiGate("latency"))
    direct = f"http://127.0.0.1:{site.upstream_port}/small"
    points: dict[str, Callable[[], Latencies]] = {
        "the upstream itself": partial(constant_rate, direct, {}, _RATE, _SECONDS)
    }
    with ExitStack() as stack:
        for each in contenders:
            try:
                running = stack.enter_context(each.running(site))
            except (FileNotFoundError, TimeoutError) as fault:
                line(f"  {each.name} takes no part: {fault}")
                continue
            for lane in running.urls if each.name == ApiGate.name else (Lane.PLAIN,):
                url = running.urls[lane]
                headers = running.headers.get(lane, {})
                constant_rate(f"{url}small", headers, _RATE, _WARM_S)
                points[f"{each.name}, {lane}"] = partial(
                    constant_rate, f"{url}small", headers, _RATE, _SECONDS
                )
        seen = interleaved(points, rounds)
    own = seen["the upstream itself"]
    return Findings(
        f"latency at {_RATE:,} requests/s, whether they are answered or not (open loop)",
        [
            ("", "p50 ms", "p99 ms", "p50 added", "p99 added"),
            *(
                (
                    name,
                    f"{found.p50_ms:.2f}",
                    f"{found.p99_ms:.2f}",
                    f"{found.p50_ms - own.p50_ms:.2f}",
                    f"{found.p99_ms - own.p99_ms:.2f}",
                )
                for name, found in seen.items()
            ),
        ],
    )
