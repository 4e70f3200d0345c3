"""The commands of `tests/bench` in short, so that they go on working and their bounds are kept."""

import shutil
import statistics
from collections.abc import Callable

import pytest

from tests.bench import limits
from tests.bench.abuse import ATTACKS, siege
from tests.bench.idle_streams import Open, Send, idle_cost, open_websocket, send_frame
from tests.bench.redis_outage import AUTHENTICATED, BILLING, outage
from tests.bench.relay_process import MIB
from tests.bench.sse_delay import MOST_DELAY, MOST_LINGERING, event_delays, lingering, open_stream, send_event
from tests.bench.transfer import MOST_GROWTH, Transfer, download, upload
from tests.conftest import missing


@pytest.mark.parametrize("transfer", [upload, download])
def test_a_body_is_streamed_within_bounded_memory(transfer: Callable[[int], Transfer]) -> None:
    assert transfer(64 * MIB).grown < MOST_GROWTH


def test_an_event_is_hardly_delayed() -> None:
    direct, relayed = event_delays(300)

    assert relayed.median - direct.median < MOST_DELAY


def test_a_vanished_listener_ends_its_upstream_request() -> None:
    assert statistics.median(lingering()) < MOST_LINGERING


@pytest.mark.parametrize(("open_one", "send"), [(open_stream, send_event), (open_websocket, send_frame)])
def test_an_idle_stream_costs_little(open_one: Open, send: Send) -> None:
    assert idle_cost(200, open_one, send).each < 16 * 1024


@pytest.mark.parametrize("name", ATTACKS)
async def test_others_are_served_while_the_relay_is_under_attack(name: str) -> None:
    if name.startswith("slow") and shutil.which("slowhttptest") is None:
        missing("slowhttptest", "install the package slowhttptest")

    one = await siege(ATTACKS[name], 100, 2)

    assert one.is_borne(100), one


async def test_a_crowd_gets_the_quota_and_not_one_more() -> None:
    found = await limits.quota(requests=600, allowed=150, workers=2)

    assert {status: count for status, count in found.answers.items() if status != 503} == {200: 150, 402: 450}
    assert (found.counter, found.ledger) == (150, 150)


async def test_a_hammered_rate_keeps_its_bound_and_gives_what_it_promises() -> None:
    found = await limits.rate(3.0, per_minute=6_000, burst=20, workers=2)

    # Of 320. What nobody asks for while the machine is held up is lost to them.
    assert 60 < found.answers[200] <= found.most, found


async def test_an_admission_costs_one_call_and_a_known_refusal_none() -> None:
    found = await limits.calls(admitted=50, refused=100)

    assert (found.for_admitted, found.for_refused) == (50, 0)


async def test_an_outage_of_redis_is_noticed_by_the_billing_lane_alone() -> None:
    found = await outage(before_s=1.0, paused_s=1.5)

    authenticated, billing = found.spells[AUTHENTICATED], found.spells[BILLING]
    assert [set(spell.answers) for spell in authenticated] == [{200}, {200}]
    # A machine that is very busy may miss the deadline with a healthy Redis, too.
    assert 200 in billing[0].answers
    assert set(billing[1].answers) == {503}
    # Nobody waits for the 50 ms deadline once the circuit is open, and nobody ever does in the authenticated lane.
    assert billing[1].median_ms < billing[0].median_ms + 20
    assert authenticated[1].median_ms < authenticated[0].median_ms + 20
    assert found.admitted == found.counter == found.ledger
