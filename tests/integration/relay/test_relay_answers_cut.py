"""Answers that the director breaks off, whatever their framing, and however far their client is."""

import asyncio
import socket

import pytest

from shared.relay.director import Ending
from shared.relay.limits import Limits
from tests.servers.raw_origin import OK, OriginConnection, raw_origin
from tests.servers.relay_under_test import Start, until

PIECE = b"x" * 65536
PIECES = 1024
"""More than all buffers between an upstream and a client take."""
FRAMINGS = {
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n": b"5\r\nhello\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n": b"hello",
    b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n": b"hello",
}


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
@pytest.mark.parametrize(("head", "piece"), FRAMINGS.items())
async def test_an_answer_that_is_cut_ends_at_once_and_cannot_be_taken_for_a_whole_one(
    start_relay: Start, head: bytes, piece: bytes, version: bytes
) -> None:
    async def script(connection: OriginConnection) -> None:
        await connection.head()
        await connection.send(head + piece)
        await connection.reader.read()

    async with raw_origin(script) as origin:
        relay = await start_relay(origin.port)
        async with relay.client() as client:
            await client.send(b"GET / HTTP/" + version + b"\r\nHost: a\r\n\r\n")
            told = await client.head()
            await client.reader.readuntil(b"hello")
            (answer,) = relay.director.exchanges[0].ongoing

            answer.cut()

            if b"chunked" in told.lower() or b"content-length" in told.lower():
                assert b"0\r\n" not in await client.rest()
            else:
                with pytest.raises(ConnectionResetError):
                    await client.rest()
            await origin.ended.wait()
            answer.cut()

    assert [(o.status, o.ending) for o in relay.director.outcomes] == [(200, Ending.CUT)]


async def test_an_answer_that_is_cut_before_its_client_has_sent_all_ends_both_ways(
    start_relay: Start,
) -> None:
    async def script(connection: OriginConnection) -> None:
        await connection.head()
        await connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        await connection.reader.read()

    async with raw_origin(script) as origin:
        relay = await start_relay(origin.port)
        async with relay.client() as client:
            await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nbegun")
            await client.head()
            relay.director.exchanges[0].ongoing[0].cut()
            await origin.ended.wait()
            await client.send(b"and on and on")
            assert b"0\r\n" not in await client.rest()

    assert [o.ending for o in relay.director.outcomes] == [Ending.CUT]
    assert relay.relay.in_flight == 0


async def test_an_answer_is_cut_although_its_client_takes_nothing(start_relay: Start) -> None:
    async def script(connection: OriginConnection) -> None:
        await connection.head()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (PIECES * len(PIECE)))
        for _ in range(PIECES):
            await connection.send(PIECE)

    async with raw_origin(script) as origin:
        relay = await start_relay(origin.port, limits=Limits(write_stall=3.0))
        with socket.create_connection(("127.0.0.1", relay.port)) as client:
            client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await until(lambda: relay.director.exchanges and relay.director.exchanges[0].ongoing)
            await asyncio.sleep(0.2)
            relay.director.exchanges[0].ongoing[0].cut()
            await origin.ended.wait()
            await until(lambda: not relay.relay.connections)

    assert [(o.status, o.ending) for o in relay.director.outcomes] == [(200, Ending.CUT)]


async def test_an_answer_of_one_piece_does_not_go_on(start_relay: Start) -> None:
    async def script(connection: OriginConnection) -> None:
        while await connection.head():
            await connection.send(OK)

    async with raw_origin(script) as origin:
        relay = await start_relay(origin.port)
        async with relay.client() as client:
            for _ in range(3):
                await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                assert (await client.response())[0] == 200

    assert [exchange.ongoing for exchange in relay.director.exchanges] == [[], [], []]
