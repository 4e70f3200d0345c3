"""Several targets of one upstream: which is asked, which is passed over, and what is never sent twice."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from shared.relay.director import Target, UpstreamSpec
from shared.relay.limits import Limits
from tests.servers.raw_origin import OK, OriginConnection, answering, raw_origin
from tests.servers.relay_under_test import RelayUnderTest, Start

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab"
QUICK = UpstreamSpec(name="quick", targets=(), connect_timeout=0.3, response_timeout=0.3)


def found(relay: RelayUnderTest, port: int, *, healthy: bool) -> None:
    relay.relay.set_healthy(relay.director.upstream.name, Target("127.0.0.1", port), healthy=healthy)


async def hang_up(connection: OriginConnection) -> None:
    await connection.head()
    connection.hang_up()


async def silent(connection: OriginConnection) -> None:
    await connection.head()
    await connection.reader.read()


async def test_a_target_found_unwell_is_not_asked_until_it_is_found_well(start_relay: Start) -> None:
    async with raw_origin(answering(OK)) as one, raw_origin(answering(OK)) as two:
        relay = await start_relay(one.port, two.port)
        found(relay, one.port, healthy=False)
        for _ in range(4):
            await relay.exchange(GET)
        asked_while_unwell = len(one.heads)
        state = relay.relay.upstream_state(relay.director.upstream)

        found(relay, one.port, healthy=True)
        found(relay, two.port, healthy=False)
        await relay.exchange(GET)

    assert asked_while_unwell == 0
    assert [target["up"] for target in state["targets"]] == [False, True]  # type: ignore[attr-defined]  # numbers as JSON
    assert (len(one.heads), len(two.heads)) == (1, 4)


async def test_when_every_target_is_found_unwell_they_are_asked_all_the_same(
    start_relay: Start, free_port: Callable[[], int]
) -> None:
    dead = free_port()
    async with raw_origin(answering(OK)) as origin:
        relay = await start_relay(origin.port, dead)
        found(relay, origin.port, healthy=False)
        found(relay, dead, healthy=False)

        assert {(await relay.exchange(POST))[0] for _ in range(4)} == {200}


async def test_what_became_of_the_attempt_is_told_apart(
    start_relay: Start, free_port: Callable[[], int]
) -> None:
    refused = await start_relay(free_port(), free_port())
    assert (await refused.exchange(POST))[0] == 502

    async with raw_origin(hang_up) as origin:
        reset = await start_relay(origin.port)
        assert (await reset.exchange(POST))[0] == 502

    async with raw_origin(silent) as origin:
        hanging = await start_relay(origin.port, spec=QUICK)
        assert (await hanging.exchange(POST))[0] == 504


async def test_a_target_that_takes_requests_and_does_not_answer_is_passed_over(start_relay: Start) -> None:
    async with raw_origin(hang_up) as sick, raw_origin(answering(OK)) as well:
        relay = await start_relay(sick.port, well.port, limits=Limits(avoid_failed_target=60.0))
        found(relay, well.port, healthy=False)
        first = [(await relay.exchange(POST))[0] for _ in range(3)]
        found(relay, well.port, healthy=True)
        then = [(await relay.exchange(POST))[0] for _ in range(5)]

    assert first == [502, 502, 502]
    assert then == [200] * 5
    assert len(sick.heads) == 3


async def test_one_good_answer_makes_up_for_failures_before_it(start_relay: Start) -> None:
    async def every_third(connection: OriginConnection) -> None:
        await connection.head()
        if connection.number % 3:
            connection.hang_up()
        else:
            await connection.send(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))

    async with raw_origin(every_third) as origin, raw_origin(silent) as other:
        relay = await start_relay(origin.port, other.port, limits=Limits(avoid_failed_target=60.0))
        found(relay, other.port, healthy=False)
        statuses = [(await relay.exchange(POST))[0] for _ in range(9)]
        found(relay, other.port, healthy=True)

    assert statuses == [502, 502, 200] * 3
    assert relay.relay.upstream_state(relay.director.upstream)["targets"][0]["up"]  # type: ignore[index]  # numbers as JSON


async def test_a_post_is_never_sent_a_second_time_however_it_is_lost(start_relay: Start) -> None:
    async def answer_by_halves(connection: OriginConnection) -> None:
        await connection.head()
        await connection.send(b"HTTP/1.1 2")
        connection.hang_up()

    for lose, status, spec in (
        (hang_up, 502, None),
        (answer_by_halves, 502, None),
        (silent, 504, replace(QUICK, connect_timeout=60.0)),
    ):
        async with raw_origin(lose) as one, raw_origin(lose) as two:
            relay = await start_relay(one.port, two.port, spec=spec)

            assert (await relay.exchange(POST))[0] == status
            assert len(one.heads) + len(two.heads) == 1


async def test_a_get_that_was_lost_is_asked_once_more_of_the_other_target(start_relay: Start) -> None:
    async with raw_origin(hang_up) as sick, raw_origin(answering(OK)) as well:
        relay = await start_relay(sick.port, well.port)

        assert [(await relay.exchange(GET))[0] for _ in range(4)] == [200] * 4
        assert len(sick.heads) <= 4


async def test_the_load_follows_who_is_free(start_relay: Start) -> None:
    release = asyncio.Event()

    async def slow(connection: OriginConnection) -> None:
        await connection.head()
        await release.wait()
        await connection.send(OK)

    async with raw_origin(slow) as busy, raw_origin(answering(OK)) as free:
        relay = await start_relay(busy.port, free.port)
        waiting = asyncio.create_task(relay.exchange(GET))
        while not busy.heads:
            await asyncio.sleep(0.01)
        for _ in range(6):
            await relay.exchange(GET)
        asked = (len(busy.heads), len(free.heads))
        release.set()
        await waiting

    assert asked == (1, 6)
