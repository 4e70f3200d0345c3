"""The commands of `tests/bench` in short, so that they go on working and their bounds are kept."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.bench.abuse import ATTACKS, siege
from tests.bench.idle_streams import Open, Send, idle_cost, open_websocket, send_frame
from tests.bench.many_redeploys import measure as measure_many
from tests.bench.nginx_app import nginx_image
from tests.bench.redeploys import measure as measure_redeploys
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
    assert max(lingering()) < MOST_LINGERING


@pytest.mark.parametrize(("open_one", "send"), [(open_stream, send_event), (open_websocket, send_frame)])
def test_an_idle_stream_costs_little(open_one: Open, send: Send) -> None:
    assert idle_cost(200, open_one, send).each < 16 * 1024


@pytest.mark.parametrize("name", ATTACKS)
async def test_others_are_served_while_the_relay_is_under_attack(name: str) -> None:
    if name.startswith("slow") and shutil.which("slowhttptest") is None:
        missing("slowhttptest", "install the package slowhttptest")

    one = await siege(ATTACKS[name], 100, 2)

    assert one.is_borne(100), one


@pytest.fixture(scope="module")
def nginx(docker_engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    assert docker_engine
    with nginx_image(tmp_path_factory.mktemp("nginx")) as image:
        yield image


@pytest.mark.engine
async def test_no_request_is_lost_while_an_app_is_redeployed(nginx: str, tmp_path: Path) -> None:
    found = await measure_redeploys(nginx, tmp_path, 3, 2000)

    assert found.load.failed == []
    assert set(found.load.answered) == {"kept", "new connection", "posted", "slow"}


@pytest.mark.engine
async def test_redeploys_leave_nothing_behind(nginx: str, tmp_path: Path) -> None:
    found = await measure_many(nginx, tmp_path, 8)

    assert found.is_bounded(), found
