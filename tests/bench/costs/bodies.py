"""The size of the answer."""

from contextlib import ExitStack
from functools import partial

from tests.bench.costs.findings import Findings
from tests.bench.peers.apigate import ApiGate
from tests.bench.peers.contender import ANSWERS, Contender, Lane, Site
from tests.bench.peers.load import measure
from tests.bench.peers.nginx import Nginx
from tests.bench.peers.rounds import interleaved

_SECONDS = 1


def by_size(site: Site, rounds: int) -> Findings:
    contenders: tuple[Contender, ...] = (ApiGate("bodies"), Nginx())
    with ExitStack() as stack:
        points = {}
        for each in contenders:
            running = stack.enter_context(each.running(site))
            for answer in ANSWERS:
                url = running.urls[Lane.PLAIN] + answer
                points[answer, each.name] = partial(measure, url, {}, running.pid, _SECONDS)
                points[answer, each.name]()
        seen = interleaved(points, rounds)
    return Findings(
        "size of the answer (public lane)",
        [
            ("bytes", "", "CPU us/request", "of it kernel", "requests/s", "MB/s"),
            *(
                (
                    f"{ANSWERS[answer]:,}",
                    name,
                    f"{found.cpu_us:.1f}",
                    f"{found.kernel_us:.0f}",
                    f"{found.requests_per_s:.0f}",
                    f"{found.requests_per_s * ANSWERS[answer] / 1e6:.0f}",
                )
                for (answer, name), found in sorted(seen.items(), key=lambda one: ANSWERS[one[0][0]])
            ),
        ],
    )
