"""The comparison with other gateways is worth what its checks are worth. The others are checked by the command itself."""

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from http.client import HTTPConnection

import pytest

from tests.bench.costs.population import populate
from tests.bench.peers.apigate import ApiGate, data_folder
from tests.bench.peers.bare_forwarder import BareForwarder
from tests.bench.peers.constant_rate import constant_rate
from tests.bench.peers.contender import Contender, Lane, Running, Site, own_folder, site
from tests.bench.peers.load import LoadFailed
from tests.bench.peers.nginx import Nginx
from tests.bench.peers.self_check import LaneNotDone, check
from tests.conftest import missing


@pytest.fixture(scope="module")
def place() -> Iterator[Site]:
    for program in ("nginx", "redis-server"):
        if shutil.which(program) is None:
            missing(program, "install the Debian package of this name")
    with site() as place:
        yield place


@pytest.fixture(scope="module")
def ours(place: Site) -> Iterator[Running]:
    with ApiGate().running(place) as running:
        yield running


def test_ours_does_what_its_lanes_say(ours: Running) -> None:
    assert set(ours.urls) == set(Lane)
    check(ours)


@pytest.mark.parametrize("contender", [Nginx(), BareForwarder()], ids=lambda each: each.name)
def test_a_plain_proxy_is_one(place: Site, contender: Contender) -> None:
    with contender.running(place) as running:
        check(running)


@contextmanager
def pretending(place: Site, lane: Lane, ours: Running) -> Iterator[Running]:
    """nginx, which forwards whatever comes, in a lane that demands more."""
    with Nginx().running(place) as running:
        urls = {lane: running.urls[Lane.PLAIN]}
        yield replace(running, urls=urls, headers=ours.headers, user_id=ours.user_id)


@pytest.mark.parametrize("lane", [Lane.IDENTITY, Lane.BILLING])
def test_a_contender_that_verifies_nothing_is_not_measured(place: Site, ours: Running, lane: Lane) -> None:
    with (
        pretending(place, lane, ours) as running,
        pytest.raises(LaneNotDone, match="arrives as 'somebody-else'"),
    ):
        check(running)


def test_a_contender_that_counts_nothing_is_not_measured(ours: Running) -> None:
    """The identity lane does all but the counting."""
    urls = {Lane.BILLING: ours.urls[Lane.IDENTITY]}

    with pytest.raises(LaneNotDone, match="0 of 3 requests are counted"):
        check(replace(ours, urls=urls))


def test_the_tokens_of_a_made_population_are_good_ones(place: Site) -> None:
    own = own_folder(place, "population")
    tokens = populate(data_folder(own), users=50, tokens=5)

    with (
        ApiGate().serving(own) as (_, port),
        closing(HTTPConnection("127.0.0.1", port, timeout=10)) as client,
    ):
        for token in tokens:
            client.request("GET", "/identity/echo", headers={"Authorization": f"Bearer {token}"})
            answer = client.getresponse()
            assert b"X-User-ID=user_" in answer.read(), answer.status


@contextmanager
def stalling_once(seconds: float) -> Iterator[str]:
    """A server that answers at once, but for a stall before its tenth answer, which all wait for."""
    turn = threading.Lock()
    answered = 0

    def serve(link: socket.socket) -> None:
        nonlocal answered
        with link:
            while link.recv(65536):
                with turn:
                    answered += 1
                    if answered == 10:
                        time.sleep(seconds)
                link.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    def accept() -> None:
        for _ in range(64):
            threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        accepting = threading.Thread(target=accept)
        accepting.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        accepting.join()


def test_who_waits_behind_a_stall_counts_in_an_open_loop() -> None:
    """A closed loop would have one slow request of a hundred; here seventy were due meanwhile."""
    with stalling_once(0.7) as url:
        seen = constant_rate(url, {}, rate=100, seconds=1.0)

    assert seen.p50_ms > 100


def test_an_open_loop_takes_no_refusal_for_an_answer(ours: Running) -> None:
    with pytest.raises(LoadFailed, match="401"):
        constant_rate(f"{ours.urls[Lane.IDENTITY]}small", {}, rate=100, seconds=0.2)
