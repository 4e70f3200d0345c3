"""How the relay treats upstreams: what it believes, what it reuses, what it repeats, how long it waits."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from shared.relay.director import Ending, Target, UpstreamSpec
from shared.relay.limits import Limits
from tests.servers.raw_origin import OK, OriginConnection, Script, answering, raw_origin
from tests.servers.relay_under_test import RelayUnderTest, Start, until

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab"
FAST = UpstreamSpec(name="fast", targets=(), response_timeout=0.3)

BAD_RESPONSES = {
    "CL-TE": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "CL-DIFFERENT": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    "CL-ODD": b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
    "TE-ODD": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    "TE-HTTP10": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "STATUS-LINE": b"HTTP/1.1 2000 OK\r\n\r\n",
    "STATUS-600": b"HTTP/1.1 600 What\r\n\r\n",
    "NOT-HTTP": b"220 smtp ready\r\n\r\n",
    "VERSION": b"HTTP/2.0 200 OK\r\n\r\n",
    "BARE-LF": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    "OBS-FOLD": b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 2\r\n\r\nok",
    "NUL": b"HTTP/1.1 200 OK\r\nA: \x00\r\nContent-Length: 2\r\n\r\nok",
    "SPACE-COLON": b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok",
    "LARGE-HEAD": b"HTTP/1.1 200 OK\r\nA: " + b"a" * 40_000 + b"\r\n\r\n",
    "MANY-FIELDS": b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 101 + b"\r\n",
    "UNASKED-101": b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    "NOTHING": b"",
}


@pytest.mark.parametrize("name", BAD_RESPONSES)
async def test_a_response_that_breaks_the_rules_is_502_and_its_connection_is_closed(
    start_relay: Start, name: str
) -> None:
    async def script(connection: OriginConnection) -> None:
        await connection.head()
        await connection.send(BAD_RESPONSES[name])

    async with raw_origin(script) as origin:
        relay = await start_relay(origin.port)
        async with relay.client() as client:
            await client.send(POST)
            status, head, _ = await client.response()

    assert status == 502
    assert b"X-Fault: yes" in head
    assert [(o.status, o.ending, o.reached_upstream) for o in relay.director.outcomes] == [
        (502, Ending.UPSTREAM_FAILED, True)
    ]
    assert origin.connections == 1


@pytest.mark.parametrize(
    "first",
    [
        OK + b"X",
        OK.replace(b"200 OK\r\n", b"200 OK\r\nConnection: close\r\n"),
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 204 No Content\r\n\r\nbody",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nbody",
    ],
)
async def test_a_connection_whose_exchange_did_not_end_cleanly_is_not_used_again(
    start_relay: Start, first: bytes
) -> None:
    async def script(connection: OriginConnection) -> None:
        await connection.head()
        await connection.send(first)
        await connection.reader.read()

    async with raw_origin(script) as origin:
        relay = await start_relay(origin.port)
        async with relay.client() as client:
            for _ in range(2):
                await client.send(GET)
                assert await client.head()
                if first.endswith((b"ok", b"X")):
                    assert await client.reader.readexactly(2) == b"ok"

    assert origin.connections == 2


async def test_an_early_response_is_passed_on_and_its_connection_is_not_used_again(
    start_relay: Start,
) -> None:
    async def script(connection: OriginConnection) -> None:
        head = await connection.head()
        await connection.send(
            b"HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno" if head.startswith(b"POST") else OK
        )
        await connection.reader.read()

    async with raw_origin(script) as origin:
        relay = await start_relay(origin.port)
        async with relay.client() as client:
            await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc")
            early = await client.response()
            await client.send(b"x" * 97 + GET)
            after = await client.response()

    assert (early[0], after[0]) == (413, 200)
    assert origin.connections == 2


def first_fails(then: Callable[[OriginConnection], object] = OriginConnection.hang_up) -> Script:
    """A first connection that reads a request and is gone, later ones that answer."""

    async def script(connection: OriginConnection) -> None:
        await connection.head()
        if connection.number == 1:
            then(connection)
        else:
            await connection.send(OK)

    return script


@pytest.mark.parametrize(
    ("request_head", "status", "connections"),
    [
        (GET, 200, 2),
        (b"DELETE / HTTP/1.1\r\nHost: a\r\n\r\n", 200, 2),
        (POST, 502, 1),
        (b"POST / HTTP/1.1\r\nHost: a\r\n\r\n", 502, 1),
        (b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab", 502, 1),
    ],
)
async def test_only_what_may_be_done_twice_is_sent_twice(
    start_relay: Start, request_head: bytes, status: int, connections: int
) -> None:
    async with raw_origin(first_fails()) as origin:
        relay = await start_relay(origin.port)

        assert (await relay.exchange(request_head))[0] == status

    assert origin.connections == connections
    assert len(relay.director.outcomes) == 1


async def test_a_request_is_repeated_once_and_not_again(start_relay: Start) -> None:
    async def script(connection: OriginConnection) -> None:
        await connection.head()
        connection.hang_up()

    async with raw_origin(script) as origin:
        relay = await start_relay(origin.port)

        assert (await relay.exchange(GET))[0] == 502

    assert len(origin.heads) == 2


async def test_nothing_is_repeated_once_a_response_has_begun(start_relay: Start) -> None:
    async def script(connection: OriginConnection) -> None:
        await connection.head()
        await connection.send(b"HTTP/1.1 200")

    async with raw_origin(script) as origin:
        relay = await start_relay(origin.port)

        assert (await relay.exchange(GET))[0] == 502

    assert len(origin.heads) == 1


async def test_a_connection_closed_while_idle_is_noticed_and_even_a_post_finds_a_new_one(
    start_relay: Start,
) -> None:
    async def one_answer(connection: OriginConnection) -> None:
        await connection.head()
        await connection.send(OK)

    async with raw_origin(one_answer) as origin:
        relay = await start_relay(origin.port)
        async with relay.client() as client:
            for _ in range(3):
                await client.send(POST)
                assert (await client.response())[0] == 200

    assert origin.connections == 3


async def test_idle_connections_are_given_up_after_their_time(start_relay: Start) -> None:
    async with raw_origin(answering(OK)) as origin:
        relay = await start_relay(origin.port, limits=Limits(upstream_keepalive=0.2))
        await relay.exchange(GET)
        await origin.ended.wait()


async def test_a_response_broken_off_is_broken_off_for_the_client(start_relay: Start) -> None:
    async def script(connection: OriginConnection) -> None:
        await connection.head()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")

    async with raw_origin(script) as origin:
        relay = await start_relay(origin.port)
        async with relay.client() as client:
            await client.send(GET)
            answer = await client.rest()

    assert answer.endswith(b"\r\n\r\nabc")
    assert [(o.status, o.ending, o.response_bytes) for o in relay.director.outcomes] == [
        (200, Ending.UPSTREAM_FAILED, 3)
    ]


async def test_a_response_broken_off_is_a_reset_for_a_client_that_cannot_be_told_in_another_way(
    start_relay: Start,
) -> None:
    async def script(connection: OriginConnection) -> None:
        await connection.head()
        await connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")

    async with raw_origin(script) as origin:
        relay = await start_relay(origin.port)
        async with relay.client() as client:
            await client.send(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
            with pytest.raises(ConnectionResetError):
                await client.rest()


async def test_a_body_that_ends_with_its_connection_is_chunked_for_new_clients(start_relay: Start) -> None:
    async def script(connection: OriginConnection) -> None:
        await connection.head()
        await connection.send(b"HTTP/1.1 200 OK\r\n\r\nhello")

    async with raw_origin(script) as origin:
        relay = await start_relay(origin.port)
        status, head, body = await relay.exchange(GET)

    assert (status, body) == (200, b"hello")
    assert b"Transfer-Encoding: chunked\r\n" in head


async def silent(connection: OriginConnection) -> None:
    await connection.head()
    await connection.reader.read()


async def test_no_response_head_in_time_is_504_and_not_repeated(start_relay: Start) -> None:
    async with raw_origin(silent) as origin:
        relay = await start_relay(origin.port, spec=FAST)

        assert (await relay.exchange(GET))[0] == 504

        await origin.ended.wait()
    assert len(origin.heads) == 1
    assert [(o.status, o.ending) for o in relay.director.outcomes] == [(504, Ending.UPSTREAM_FAILED)]


async def test_a_response_that_stalls_is_broken_off(start_relay: Start) -> None:
    async def script(connection: OriginConnection) -> None:
        await connection.head()
        await connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        await connection.reader.read()

    async with raw_origin(script) as origin:
        relay = await start_relay(origin.port, spec=UpstreamSpec(name="o", targets=(), idle_timeout=0.3))
        async with relay.client() as client:
            await client.send(GET)
            answer = await client.rest()

    assert answer.endswith(b"\r\n\r\n3\r\nabc\r\n")


async def test_a_refused_connection_is_502_and_nothing_was_sent(
    start_relay: Start, free_port: Callable[[], int]
) -> None:
    relay = await start_relay(free_port())

    assert (await relay.exchange(POST))[0] == 502
    assert [(o.status, o.reached_upstream) for o in relay.director.outcomes] == [(502, False)]


async def test_a_dead_target_costs_nothing_while_another_lives_not_even_a_post(
    start_relay: Start, free_port: Callable[[], int]
) -> None:
    async with raw_origin(answering(OK)) as origin:
        relay = await start_relay(free_port(), origin.port)

        assert [(await relay.exchange(POST))[0] for _ in range(4)] == [200] * 4


async def test_the_least_busy_target_is_asked(start_relay: Start) -> None:
    async with raw_origin(silent) as one, raw_origin(silent) as two:
        relay = await start_relay(one.port, two.port)
        tasks = [asyncio.create_task(_ask(relay)) for _ in range(6)]
        await until(lambda: len(one.heads) + len(two.heads) == 6)
        state = relay.relay.upstream_state(relay.director.upstream)
        asked = (len(one.heads), len(two.heads))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    assert asked == (3, 3)
    assert [target["busy"] for target in state["targets"]] == [3, 3]  # type: ignore[attr-defined]  # numbers as JSON


async def _ask(relay: RelayUnderTest) -> None:
    await relay.exchange(GET)


async def test_a_unix_socket_is_a_target_like_any_other(start_relay: Start, tmp_path: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        writer.close()

    path = str(tmp_path / "origin.sock")
    server = await asyncio.start_unix_server(serve, path)
    relay = await start_relay(spec=UpstreamSpec(name="unix", targets=(Target("", 0, path),)))

    assert (await relay.exchange(GET))[2] == b"ok"
    server.close()
    await server.wait_closed()


async def test_a_connection_that_nobody_vouches_for_is_not_used_and_one_that_was_vouched_for_is_not_asked_about_again(
    start_relay: Start,
) -> None:
    answers = iter((False, True))
    asked: list[int] = []

    async def vouch() -> bool:
        asked.append(origin.connections)
        return next(answers)

    async with raw_origin(answering(OK)) as origin:
        relay = await start_relay(origin.port, spec=UpstreamSpec(name="vouched", targets=(), vouch=vouch))
        async with relay.client() as client:
            statuses = []
            for _ in range(3):
                await client.send(GET)
                statuses.append((await client.response())[0])

    assert statuses == [502, 200, 200]
    assert asked == [1, 2]
    assert [outcome.reached_upstream for outcome in relay.director.outcomes] == [False, True, True]


async def test_a_vouch_that_takes_too_long_is_a_connection_that_takes_too_long(start_relay: Start) -> None:
    async def vouch() -> bool:
        await asyncio.sleep(60)
        return True

    async with raw_origin(answering(OK)) as origin:
        relay = await start_relay(origin.port, spec=replace(FAST, connect_timeout=0.3, vouch=vouch))
        status, _, _ = await relay.exchange(GET)

    assert status == 504
