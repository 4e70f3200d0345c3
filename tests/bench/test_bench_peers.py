"""The comparison with other gateways is worth what its checks are worth. The others are checked by the command itself."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from tests.bench.peers.apigate import ApiGate
from tests.bench.peers.contender import Lane, Running, Site, site
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


def test_a_plain_proxy_is_one(place: Site) -> None:
    with Nginx().running(place) as running:
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
