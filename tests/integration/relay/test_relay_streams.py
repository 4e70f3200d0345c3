"""Bodies that do not fit into memory, events that must not wait, and WebSockets."""

import asyncio
import resource
import socket

import aiohttp
import pytest

from shared.relay.director import Ending, UpstreamSpec
from shared.relay.limits import Limits
from tests.servers.echo_origin import echo_origin
from tests.servers.raw_origin import OK, OriginConnection, raw_origin
from tests.servers.relay_under_test import RawClient, RelayUnderTest, Start, until

MIB = 1 << 20
BIG = 64 * MIB
PIECE = b"x" * 65536
EVENTS = b"GET /events HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n"


async def silent(connection: OriginConnection) -> None:
    await connection.head()
    await connection.reader.read()


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def send_pieces(client: RawClient | OriginConnection, *, chunked: bool) -> None:
    for _ in range(BIG // len(PIECE)):
        await client.send(b"10000\r\n" + PIECE + b"\r\n" if chunked else PIECE)
    if chunked:
        await client.send(b"0\r\n\r\n")


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_large_upload_to_a_slow_upstream_is_held_back(start_relay: Start, *, chunked: bool) -> None:
    received = 0

    async def script(connection: OriginConnection) -> None:
        nonlocal received
        head = await connection.head()
        await asyncio.sleep(0.5)
        end = BIG if b"Content-Length" in head else None
        while (received < end) if end else True:
            data = await connection.reader.read(MIB)
            received += len(data)
            if end is None and data.endswith(b"\r\n0\r\n\r\n"):
                break
        await connection.send(OK)

    framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % BIG
    async with raw_origin(script) as origin:
        relay = await start_relay(origin.port)
        async with relay.client() as client:
            before = peak_mib()
            await client.send(b"POST / HTTP/1.1\r\nHost: a\r\n" + framing + b"\r\n\r\n")
            await send_pieces(client, chunked=chunked)
            status, _, _ = await client.response()
            grown = peak_mib() - before

    assert status == 200
    assert received >= BIG
    assert relay.director.outcomes[0].request_bytes == BIG
    assert grown < 24


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_large_download_by_a_slow_client_is_held_back(start_relay: Start, *, chunked: bool) -> None:
    async def script(connection: OriginConnection) -> None:
        await connection.head()
        framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % BIG
        await connection.send(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n")
        await send_pieces(connection, chunked=chunked)

    async with raw_origin(script) as origin:
        relay = await start_relay(origin.port)
        async with relay.client() as client:
            before = peak_mib()
            await client.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            await client.head()
            await asyncio.sleep(0.5)
            got = 0
            while data := await client.reader.read(MIB):
                got += len(data)
            grown = peak_mib() - before

    assert got >= BIG
    assert relay.director.outcomes[0].response_bytes == BIG
    assert grown < 24


async def test_a_client_that_takes_nothing_is_given_up(start_relay: Start) -> None:
    async def script(connection: OriginConnection) -> None:
        await connection.head()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BIG)
        await send_pieces(connection, chunked=False)

    async with raw_origin(script) as origin:
        relay = await start_relay(origin.port, limits=Limits(write_stall=0.5))
        client = socket.create_connection(("127.0.0.1", relay.port))
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await origin.ended.wait()
        client.close()

    assert [(o.status, o.ending) for o in relay.director.outcomes] == [(200, Ending.CLIENT_GONE)]


@pytest.mark.parametrize("framing", [b"Content-Length: 2000", b"Transfer-Encoding: chunked"])
async def test_a_body_beyond_the_limit_is_413(start_relay: Start, framing: bytes) -> None:
    async with raw_origin(silent) as origin:
        relay = await start_relay(origin.port, max_body=1000)
        async with relay.client() as client:
            await client.send(b"POST / HTTP/1.1\r\nHost: a\r\n" + framing + b"\r\n\r\n")
            chunked = b"chunked" in framing
            await (until(lambda: origin.heads) if chunked else until(lambda: relay.director.outcomes))
            for _ in range(4):
                await client.send(b"190\r\n" + b"x" * 400 + b"\r\n" if chunked else b"x" * 400)
            status, _, _ = await client.response()

    assert status == 413
    assert [(o.status, o.ending, o.reached_upstream) for o in relay.director.outcomes] == [
        (413, Ending.COMPLETE, chunked)
    ]
    assert len(origin.heads) == int(chunked)


async def test_each_event_leaves_as_it_arrives(start_relay: Start) -> None:
    async with echo_origin() as origin:
        relay = await start_relay(origin.port)
        async with relay.client() as client:
            await client.send(EVENTS)
            head = await client.head()
            for number in range(5):
                event = b"data: %d\n\n" % number
                origin.events.put_nowait(event)
                got = await client.reader.readuntil(b"\n\n\r\n")
                assert got == b"%x\r\n%b\r\n" % (len(event), event)

    assert b"text/event-stream" in head


@pytest.mark.parametrize("leave", ["close", "reset"])
async def test_a_vanished_client_ends_a_silent_event_stream_within_a_second(
    start_relay: Start, leave: str
) -> None:
    async with echo_origin() as origin:
        relay = await start_relay(origin.port)
        async with relay.client() as client:
            await client.send(EVENTS)
            await client.head()
            client.writer.close() if leave == "close" else client.reset()
            await asyncio.wait_for(origin.gone.wait(), 1)

    assert [(o.status, o.ending) for o in relay.director.outcomes] == [(200, Ending.CLIENT_GONE)]


async def test_a_vanished_client_is_noticed_while_the_upstream_has_not_even_answered_an_event_request(
    start_relay: Start,
) -> None:
    async with raw_origin(silent) as origin:
        relay = await start_relay(origin.port)
        async with relay.client() as client:
            await client.send(EVENTS)
            await until(lambda: origin.heads)
            client.writer.close()
            await asyncio.wait_for(origin.ended.wait(), 1)

    assert [(o.status, o.ending) for o in relay.director.outcomes] == [(499, Ending.CLIENT_GONE)]


async def test_a_silent_open_ended_answer_to_half_a_connection_ends(start_relay: Start) -> None:
    async def script(connection: OriginConnection) -> None:
        await connection.head()
        await connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
        await connection.reader.read()

    async with raw_origin(script) as origin:
        relay = await start_relay(origin.port, limits=Limits(half_closed_silence=0.3))
        async with relay.client() as client:
            await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            client.writer.write_eof()
            await origin.ended.wait()

    assert [o.ending for o in relay.director.outcomes] == [Ending.CLIENT_GONE]


def url(relay: RelayUnderTest, path: str) -> str:
    return f"http://127.0.0.1:{relay.port}{path}"


async def test_a_websocket_passes_frames_of_all_sizes_and_its_close_code(start_relay: Start) -> None:
    async with echo_origin() as origin:
        relay = await start_relay(origin.port)
        async with aiohttp.ClientSession() as session:
            async with session.ws_connect(url(relay, "/echo"), protocols=("chat",), max_msg_size=0) as ws:
                assert ws.protocol == "chat"
                assert relay.relay.in_flight == 1
                for size in (0, 1, 125, 126, 65535, 65536, 3 * MIB):
                    await ws.send_bytes(b"y" * size)
                    assert await ws.receive_bytes(timeout=30) == b"y" * size
                await ws.send_str("grüß")
                assert await ws.receive_str(timeout=30) == "grüß"
                await ws.close(code=4001)
            assert await origin.close_code == 4001
        await until(lambda: not relay.relay.in_flight)

    (outcome,) = relay.director.outcomes
    assert (outcome.status, outcome.ending) == (101, Ending.COMPLETE)
    assert outcome.request_bytes > 3 * MIB
    assert outcome.response_bytes > 3 * MIB


async def test_a_refused_websocket_is_an_ordinary_answer(start_relay: Start) -> None:
    async with echo_origin() as origin:
        relay = await start_relay(origin.port)
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await session.ws_connect(url(relay, "/plain"))
            async with session.get(url(relay, "/plain")) as response:
                assert await response.text() == "plain"

    assert refused.value.status == 200


async def test_a_websocket_client_that_is_reset_ends_the_upstreams_side(start_relay: Start) -> None:
    async with echo_origin() as origin:
        relay = await start_relay(origin.port)
        async with relay.client() as client:
            await client.send(
                b"GET /echo HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            )
            assert (await client.head()).startswith(b"HTTP/1.1 101 ")
            client.reset()
            await origin.close_code

    assert [(o.status, o.ending) for o in relay.director.outcomes] == [(101, Ending.CLIENT_GONE)]


async def test_websockets_are_told_1001_on_drain(start_relay: Start) -> None:
    async with echo_origin() as origin:
        relay = await start_relay(origin.port)
        async with aiohttp.ClientSession() as session, session.ws_connect(url(relay, "/echo")) as ws:
            await ws.send_str("hello")
            await ws.receive_str(timeout=30)
            draining = asyncio.create_task(relay.relay.drain(5))
            message = await ws.receive(timeout=30)
            finished = await draining

            assert (message.type, ws.close_code) == (aiohttp.WSMsgType.CLOSE, 1001)
        assert await origin.close_code == 1001

    assert finished
    assert [(o.status, o.ending) for o in relay.director.outcomes] == [(101, Ending.COMPLETE)]


async def test_drain_waits_for_answers_closes_the_idle_and_says_so(start_relay: Start) -> None:
    release = asyncio.Event()

    async def script(connection: OriginConnection) -> None:
        await connection.head()
        await release.wait()
        await connection.send(OK)

    async with raw_origin(script) as origin:
        relay = await start_relay(origin.port)
        async with relay.client() as busy, relay.client() as idle:
            await busy.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await until(lambda: origin.heads)
            draining = asyncio.create_task(relay.relay.drain(5))
            assert await idle.rest() == b""
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", relay.port)
            assert not draining.done()
            release.set()
            answer = await busy.rest()

            assert b"Connection: close\r\n" in answer
            assert answer.endswith(b"ok")
            assert await draining


async def test_drain_gives_up_at_its_deadline_and_close_still_settles_the_books(start_relay: Start) -> None:
    async with raw_origin(silent) as origin:
        relay = await start_relay(origin.port, spec=UpstreamSpec(name="o", targets=()))
        async with relay.client() as client:
            await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await until(lambda: origin.heads)
            assert not await relay.relay.drain(0.2)
            await relay.relay.close()

    assert [(o.status, o.ending) for o in relay.director.outcomes] == [(499, Ending.CLIENT_GONE)]
    assert relay.relay.in_flight == 0


@pytest.mark.parametrize(
    ("answer", "last"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n|abc|def", b"def"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n|0\r\n\r\n", b"0\r\n\r\n"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b"\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\n\r\n|abc|", b"0\r\n\r\n"),
    ],
)
async def test_the_outcome_is_known_before_the_client_has_the_last_byte(
    start_relay: Start, answer: bytes, last: bytes
) -> None:
    async def script(connection: OriginConnection) -> None:
        await connection.head()
        for piece in answer.split(b"|"):
            await connection.send(piece)
            await asyncio.sleep(0.05)

    seen: list[bytes] = []
    sock: socket.socket
    async with raw_origin(script) as origin:
        relay = await start_relay(origin.port, when_finished=lambda _: seen.append(_available(sock)))
        sock = socket.create_connection(("127.0.0.1", relay.port))
        sock.settimeout(0)
        sock.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        received = b""
        while not received.endswith(last):
            await asyncio.sleep(0.02)
            received = _available(sock)
        sock.close()

    assert len(seen) == 1
    assert received.startswith(seen[0])
    assert not seen[0].endswith(last)


def _available(sock: socket.socket) -> bytes:
    try:
        return sock.recv(65536, socket.MSG_PEEK)
    except BlockingIOError:
        return b""
