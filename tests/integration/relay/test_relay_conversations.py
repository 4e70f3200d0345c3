"""How the relay talks with clients: order, persistence, limits, and answers of its own."""

import asyncio
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from shared.relay.director import Decision, Ending, Forward, RequestHead, Respond, UpstreamSpec
from shared.relay.limits import Limits
from tests.servers.raw_origin import OK, OriginConnection, answering, raw_origin
from tests.servers.relay_under_test import Start, until

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


async def test_a_request_is_passed_on_and_its_answer_comes_back(start_relay: Start) -> None:
    answer = b"HTTP/1.1 201 Made\r\nset-cookie: a=1\r\nX-Request-ID: theirs\r\nSet-Cookie: b=2\r\nKeep-Alive: 9\r\nContent-Length: 2\r\n\r\nok"
    async with raw_origin(answering(answer)) as origin:
        relay = await start_relay(origin.port)

        status, head, body = await relay.exchange(
            b"POST /p?q=%20 HTTP/1.1\r\nHost: Shop.example:80\r\nX-A: 1\r\nContent-Length: 3\r\nx-a: 2\r\n\r\nabc"
        )

    assert (status, body) == (201, b"ok")
    assert origin.heads == [
        b"POST /p?q=%20 HTTP/1.1\r\nHost: shop.example:80\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 3\r\n\r\n"
    ]
    request_id = relay.director.heads[0].request_id.encode()
    assert head.startswith(
        b"HTTP/1.1 201 Created\r\nset-cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 2\r\nX-Request-ID: "
        + request_id
        + b"\r\nDate: "
    )


async def test_pipelined_requests_are_answered_in_order_over_one_upstream_connection(
    start_relay: Start,
) -> None:
    async def echo_target(connection: OriginConnection) -> None:
        while True:
            target = (await connection.head()).split(b" ")[1]
            await asyncio.sleep(0.01 if target == b"/0" else 0)
            await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(target), target))

    async with raw_origin(echo_target) as origin:
        relay = await start_relay(origin.port)
        async with relay.client() as client:
            await client.send(
                b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(20))
            )
            bodies = [(await client.response())[2] for _ in range(20)]

    assert bodies == [b"/%d" % number for number in range(20)]
    assert origin.connections == 1


async def test_thousands_of_pipelined_requests_answered_at_once_do_not_exhaust_the_stack(
    start_relay: Start,
) -> None:
    relay = await start_relay(1, decide=lambda *_: Respond(204, ()))
    async with relay.client() as client:
        await client.send(GET * 3000)
        for _ in range(3000):
            assert (await client.head()).startswith(b"HTTP/1.1 204 ")


async def test_a_half_closed_client_is_served(start_relay: Start) -> None:
    async def slow(connection: OriginConnection) -> None:
        await connection.head()
        await asyncio.sleep(0.3)
        await connection.send(OK)

    async with raw_origin(slow) as origin:
        relay = await start_relay(origin.port)
        async with relay.client() as client:
            await client.send(GET)
            client.writer.write_eof()
            answer = await client.rest()

    assert answer.endswith(b"\r\n\r\nok")


@pytest.mark.parametrize(
    "request_line", [b"GET / HTTP/1.0\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"]
)
async def test_a_connection_that_is_not_to_be_kept_is_closed_after_the_answer(
    start_relay: Start, request_line: bytes
) -> None:
    async with raw_origin(answering(OK)) as origin:
        relay = await start_relay(origin.port)
        async with relay.client() as client:
            await client.send(request_line + b"\r\n")
            answer = await client.rest()

    assert b"Connection: close\r\n" in answer
    assert answer.endswith(b"ok")


async def test_http10_is_kept_alive_on_request_but_not_for_a_body_without_length(start_relay: Start) -> None:
    async def script(connection: OriginConnection) -> None:
        await connection.head()
        await connection.send(OK)
        await connection.head()
        await connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")

    request = b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    async with raw_origin(script) as origin:
        relay = await start_relay(origin.port)
        async with relay.client() as client:
            await client.send(request)
            _, first, _ = await client.response()
            await client.send(request)
            second = await client.rest()

    assert b"Connection: keep-alive\r\n" in first
    assert b"Transfer-Encoding" not in second
    assert second.endswith(b"Connection: close\r\n\r\nabc")


@pytest.mark.parametrize(
    ("method", "answer", "length"),
    [
        (b"HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", b"Content-Length: 5\r\n"),
        (b"HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", None),
        (b"GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", b"Content-Length: 5\r\n"),
        (b"GET", b"HTTP/1.1 204 No Content\r\n\r\n", None),
    ],
)
async def test_answers_without_body_end_with_their_head(
    start_relay: Start, method: bytes, answer: bytes, length: bytes | None
) -> None:
    async with raw_origin(answering(answer)) as origin:
        relay = await start_relay(origin.port)
        async with relay.client() as client:
            for _ in range(2):
                await client.send(method + b" / HTTP/1.1\r\nHost: a\r\n\r\n")
                head = await client.head()
                assert (length in head) if length else (b"Content-Length" not in head)

    assert origin.connections == 1


@pytest.mark.parametrize(
    "malformed",
    [b"GET / HTTP/1.1\r\nHost: a\r\nA : b\r\n\r\n" + GET, b"\x16\x03\x01\x00\xfa\x01", b"GET / HTT\n\n"],
)
async def test_what_is_malformed_gets_the_directors_answer_and_the_connection_is_closed(
    start_relay: Start, malformed: bytes
) -> None:
    relay = await start_relay(1)
    async with relay.client() as client:
        await client.send(malformed)
        answer = await client.rest()

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1") == 1
    assert relay.director.heads == []


async def test_405_says_what_is_allowed(start_relay: Start) -> None:
    relay = await start_relay(1)

    _, head, _ = await relay.exchange(b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 405 ")
    assert b"Allow: GET, HEAD" in head


async def test_a_head_that_does_not_come_in_time_is_answered_with_408(start_relay: Start) -> None:
    relay = await start_relay(1, limits=Limits(head_timeout=0.3))
    async with relay.client() as client:
        await client.send(b"GET / HTTP/1.1\r\nHos")
        answer = await client.rest()

    assert answer.startswith(b"HTTP/1.1 408 ")


async def test_an_idle_connection_is_closed_without_a_word(start_relay: Start) -> None:
    async with raw_origin(answering(OK)) as origin:
        relay = await start_relay(origin.port, limits=Limits(keepalive_timeout=0.3))
        async with relay.client() as client:
            await client.send(GET)
            await client.response()
            assert await client.rest() == b""


async def test_a_stalled_body_is_408_and_the_client_is_to_blame(start_relay: Start) -> None:
    async def read_forever(connection: OriginConnection) -> None:
        await connection.head()
        await connection.reader.read()

    async with raw_origin(read_forever) as origin:
        relay = await start_relay(origin.port, spec=UpstreamSpec(name="o", targets=(), idle_timeout=0.3))
        status, head, _ = await relay.exchange(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc")
        await origin.ended.wait()

    assert status == 408
    assert b"X-Fault: yes" in head
    assert [(o.status, o.ending, o.reached_upstream, o.request_bytes) for o in relay.director.outcomes] == [
        (408, Ending.CLIENT_GONE, True, 3)
    ]


async def test_connections_beyond_the_cap_are_told_503(start_relay: Start) -> None:
    async with raw_origin(answering(OK)) as origin:
        relay = await start_relay(origin.port, limits=Limits(max_connections=1))
        async with relay.client() as first:
            await first.send(GET)
            await first.response()
            async with relay.client() as second:
                assert (await second.rest()).startswith(b"HTTP/1.1 503 ")
            await first.send(GET)
            assert (await first.response())[0] == 200


async def test_a_crowd_beyond_the_cap_is_turned_away_and_when_it_has_left_others_are_served(
    start_relay: Start,
) -> None:
    async with raw_origin(answering(OK)) as origin:
        relay = await start_relay(origin.port, limits=Limits(max_connections=50))
        async with AsyncExitStack() as stack:
            crowd = [await stack.enter_async_context(relay.client()) for _ in range(120)]
            turned_away = [client.rest() for client in crowd[50:]]
            assert all(answer.startswith(b"HTTP/1.1 503 ") for answer in await asyncio.gather(*turned_away))
            await crowd[0].send(GET)
            assert (await crowd[0].response())[0] == 200
        await until(lambda: not relay.relay.connections)

        assert (await relay.exchange(GET))[0] == 200


async def test_an_answer_of_the_directors_keeps_the_connection_and_skips_the_body(start_relay: Start) -> None:
    relay = await start_relay(1, decide=lambda *_: Respond(401, [(b"A", b"b")], b"no"))
    async with relay.client() as client:
        await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc")
        first = await client.response()
        await client.send(b"def" + b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
        second = await client.head()

    assert (first[0], first[2]) == (401, b"no")
    assert second.startswith(b"HTTP/1.1 401 ")
    assert b"Content-Length: 2\r\n" in second


async def test_a_refused_upload_too_large_to_skip_ends_the_connection_after_the_answer(
    start_relay: Start,
) -> None:
    relay = await start_relay(1, decide=lambda *_: Respond(401, (), b"no"))
    async with relay.client() as client:
        await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n" + b"x" * 100_000)
        answer = await client.rest()

    assert b"Connection: close\r\n" in answer
    assert answer.endswith(b"no")


async def test_a_late_decision_is_awaited_even_when_the_client_has_left(start_relay: Start) -> None:
    release = asyncio.Event()

    def decide(_: RequestHead, forward: Forward) -> Awaitable[Decision]:
        async def later() -> Decision:
            await release.wait()
            return forward

        return later()

    async with raw_origin(answering(OK)) as origin:
        relay = await start_relay(origin.port, decide=decide)
        async with relay.client() as client:
            await client.send(GET)
            await until(lambda: relay.director.heads)
            client.reset()
            await asyncio.sleep(0.1)
            assert relay.relay.in_flight == 1
            release.set()
            await until(lambda: relay.director.outcomes)

    assert origin.connections == 0
    assert [(o.status, o.ending, o.reached_upstream) for o in relay.director.outcomes] == [
        (499, Ending.CLIENT_GONE, False)
    ]
    assert relay.relay.in_flight == 0


async def test_a_late_decision_is_acted_on(start_relay: Start) -> None:
    async def later(forward: Forward) -> Decision:
        await asyncio.sleep(0.05)
        return forward

    async with raw_origin(answering(OK)) as origin:
        relay = await start_relay(origin.port, decide=lambda _, forward: later(forward))

        assert (await relay.exchange(GET))[2] == b"ok"


async def test_a_director_that_raises_costs_a_500(start_relay: Start) -> None:
    def broken(*_: object) -> Decision:
        raise RuntimeError

    relay = await start_relay(1, decide=broken)
    with capture_logs() as logs:
        status, _, _ = await relay.exchange(GET)

    assert status == 500
    assert [line["event"] for line in logs] == ["director_failed"]


async def test_expect_is_passed_on_and_the_upstreams_100_comes_back(start_relay: Start) -> None:
    async def script(connection: OriginConnection) -> None:
        await connection.head()
        await connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await connection.reader.readexactly(3)
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n" + body)

    async with raw_origin(script) as origin:
        relay = await start_relay(origin.port)
        async with relay.client() as client:
            await client.send(
                b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
            )
            interim = await client.head()
            await client.send(b"abc")
            status, _, body = await client.response()

    assert interim == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert (status, body) == (200, b"abc")
    assert b"Expect: 100-continue\r\n" in origin.heads[0]


async def test_expect_is_not_passed_on_when_the_director_refuses_and_the_connection_is_closed(
    start_relay: Start,
) -> None:
    relay = await start_relay(1, decide=lambda *_: Respond(402, (), b"no"))
    async with relay.client() as client:
        await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        answer = await client.rest()

    assert answer.startswith(b"HTTP/1.1 402 ")


async def test_interim_responses_reach_new_clients_only(start_relay: Start) -> None:
    async with raw_origin(answering(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK)) as origin:
        relay = await start_relay(origin.port)
        async with relay.client() as client:
            await client.send(GET)
            hints = await client.head()
            status, _, _ = await client.response()
        old_status, _, _ = await relay.exchange(b"GET / HTTP/1.0\r\n\r\n")

    assert hints == b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    assert (status, old_status) == (200, 200)


@pytest.mark.parametrize(
    "wrong",
    [
        {"target": "/a b"},
        {"target": "/\u00fc\r\nX: y"},
        {"target": "/\u20ac"},
        {"host": "a\r\nX: y"},
        {"fields": [(b"X", b"y\r\nZ: injected")]},
        {"fields": [(b"X", b"y\nZ: injected")]},
    ],
)
async def test_a_director_cannot_break_a_request_apart(start_relay: Start, wrong: dict[str, Any]) -> None:
    async with raw_origin(answering(OK)) as origin:
        relay = await start_relay(origin.port, decide=lambda _, forward: replace(forward, **wrong))
        with capture_logs():
            status, _, _ = await relay.exchange(GET)

    assert status == 500
    assert origin.connections == 0
    assert [(o.status, o.reached_upstream) for o in relay.director.outcomes] == [(500, False)]
