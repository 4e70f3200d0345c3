"""`Expect: 100-continue` before upstreams that answer it, leave it unanswered, or refuse."""

import asyncio

from shared.relay.limits import Limits
from tests.servers.raw_origin import OK, OriginConnection, raw_origin
from tests.servers.relay_under_test import Start

ASKING = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


async def test_an_upstream_that_only_waits_for_the_body_does_not_keep_the_client_waiting(
    start_relay: Start,
) -> None:
    async def waits(connection: OriginConnection) -> None:
        await connection.head()
        body = await connection.reader.readexactly(3)
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n" + body)

    async with raw_origin(waits) as origin:
        relay = await start_relay(origin.port)
        async with relay.client() as client:
            await client.send(ASKING)
            assert await client.head() == CONTINUE
            await client.send(b"abc")
            status, _, body = await client.response()

    assert (status, body) == (200, b"abc")


async def test_the_client_is_invited_once_even_when_the_upstream_says_so_later(start_relay: Start) -> None:
    async def hesitates(connection: OriginConnection) -> None:
        await connection.head()
        await asyncio.sleep(0.5)
        await connection.send(CONTINUE)
        await connection.reader.readexactly(3)
        await connection.send(OK)

    async with raw_origin(hesitates) as origin:
        relay = await start_relay(origin.port)
        async with relay.client() as client:
            await client.send(ASKING)
            assert await client.head() == CONTINUE
            await asyncio.sleep(0.5)
            await client.send(b"abc")
            head = await client.head()

    assert head.startswith(b"HTTP/1.1 200 ")


async def test_an_upstream_that_refuses_at_once_never_sees_the_body(start_relay: Start) -> None:
    never = Limits(continue_after=3600.0)

    async def refuses(connection: OriginConnection) -> None:
        await connection.head()
        await connection.send(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno")
        await connection.reader.read()

    async with raw_origin(refuses) as origin:
        relay = await start_relay(origin.port, limits=never)
        async with relay.client() as client:
            await client.send(ASKING)
            answer = await client.rest()

    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"Connection: close\r\n" in answer


async def test_a_client_that_does_not_wait_is_not_invited(start_relay: Start) -> None:
    async def slow(connection: OriginConnection) -> None:
        await connection.head()
        await connection.reader.readexactly(3)
        await asyncio.sleep(0.5)
        await connection.send(OK)

    async with raw_origin(slow) as origin:
        relay = await start_relay(origin.port)
        status, _, _ = await relay.exchange(ASKING + b"abc")

    assert status == 200
