"""WebSockets as bytes: a recorded session compared, what is held back, whose end is whose, and goodbyes."""

import asyncio
import random
import struct

import pytest

from shared.relay.director import Ending
from tests.servers.raw_origin import OriginConnection, raw_origin
from tests.servers.relay_under_test import RawClient, RelayUnderTest, Start, until

HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: chat\r\n"
    b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
)
SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n"
)
TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10
FIN, COMPRESSED = 0x80, 0x40


def frame(opcode: int, payload: bytes, *, flags: int = FIN, masked: bool) -> bytes:
    """One frame in the shortest form of its length (RFC 6455 section 5.2)."""
    mask_bit = 0x80 if masked else 0
    size = len(payload)
    if size < 126:
        head = bytes([flags | opcode, mask_bit | size])
    elif size < 65536:
        head = bytes([flags | opcode, mask_bit | 126]) + struct.pack(">H", size)
    else:
        head = bytes([flags | opcode, mask_bit | 127]) + struct.pack(">Q", size)
    if not masked:
        return head + payload
    mask = b"\x11\x22\x33\x44"
    return head + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


def session(*, masked: bool) -> bytes:
    """One side of a session with everything in it: fragments with a ping in between, compressed and empty messages, each form of
    length, reserved bits and opcodes that only the two ends may judge, and a close with a reason.
    """
    parts = [
        frame(TEXT, b"hello", masked=masked),
        frame(TEXT, b"", masked=masked),
        frame(TEXT, b"frag", flags=0, masked=masked),
        frame(PING, b"are you there", masked=masked),
        frame(CONTINUATION, b"ment", masked=masked),
        frame(PONG, b"", masked=masked),
        frame(TEXT, b"\xf2\x48\xcd\xc9\xc9\x07\x00", flags=FIN | COMPRESSED, masked=masked),
        *(frame(BINARY, bytes(size), masked=masked) for size in (125, 126, 127, 65535, 65536, 200_000)),
        frame(11, b"reserved", flags=FIN | 0x30, masked=masked),
        frame(CLOSE, b"\x0f\xa1bye", masked=masked),
    ]
    return b"".join(parts)


async def handshaken(relay: RelayUnderTest, client: RawClient) -> bytes:
    await client.send(HANDSHAKE)
    head = await client.head()
    assert head.startswith(b"HTTP/1.1 101 ")
    return head


def random_pieces(data: bytes, seed: int) -> list[bytes]:
    cut = random.Random(seed)  # noqa: S311 - where to cut is no secret
    places = sorted(cut.sample(range(len(data)), 200))
    return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_recorded_session_comes_out_byte_for_byte_at_both_ends(start_relay: Start, seed: int) -> None:
    from_client, from_server = session(masked=True), session(masked=False)
    received = b""

    async def play(connection: OriginConnection) -> None:
        nonlocal received
        await connection.head()
        # The first frames come in the same piece as the head.
        await connection.send(SWITCH + from_server[:10])
        for piece in random_pieces(from_server[10:], seed):
            await connection.send(piece)
            await asyncio.sleep(0)
        received = await connection.reader.readexactly(len(from_client))
        assert await connection.reader.read() == b""

    async with raw_origin(play) as origin:
        relay = await start_relay(origin.port)
        async with relay.client() as client:
            head = await handshaken(relay, client)
            sending = asyncio.create_task(send_all(client, random_pieces(from_client, seed + 10)))
            got = await client.reader.readexactly(len(from_server))
            await sending
            assert await client.rest() == b""
        await until(lambda: relay.director.outcomes)

    assert got == from_server
    assert received == from_client
    assert b"Sec-WebSocket-Protocol: chat\r\n" in head
    for line in HANDSHAKE.split(b"\r\n")[2:-2]:
        assert line in origin.heads[0]
    outcome = relay.director.outcomes[0]
    assert (outcome.ending, outcome.request_bytes, outcome.response_bytes) == (
        Ending.COMPLETE,
        len(from_client),
        len(from_server),
    )


async def send_all(client: RawClient, pieces: list[bytes]) -> None:
    for piece in pieces:
        await client.send(piece)
        await asyncio.sleep(0)
    client.writer.write_eof()


async def test_frames_sent_before_the_switch_is_confirmed_are_not_lost(start_relay: Start) -> None:
    early = frame(TEXT, b"early", masked=True)
    release = asyncio.Event()

    async def late(connection: OriginConnection) -> None:
        await connection.head()
        await release.wait()
        await connection.send(SWITCH)
        await connection.send(await connection.reader.readexactly(len(early)))

    async with raw_origin(late) as origin:
        relay = await start_relay(origin.port)
        async with relay.client() as client:
            await client.send(HANDSHAKE + early)
            await until(lambda: origin.heads)
            release.set()
            await client.head()
            assert await client.reader.readexactly(len(early)) == early


@pytest.mark.parametrize("slow_end", ["client", "upstream"])
async def test_a_slow_end_holds_the_other_back(start_relay: Start, slow_end: str) -> None:
    piece = frame(BINARY, bytes(65536), masked=slow_end == "upstream")
    pieces = 1600  # 100 MiB, more than all socket buffers on the way hold
    sent = 0
    go = asyncio.Event()
    drunk: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def pour(send: RawClient | OriginConnection) -> None:
        nonlocal sent
        for _ in range(pieces):
            await send.send(piece)
            sent += 1

    async def drink(reader: asyncio.StreamReader) -> None:
        await go.wait()
        taken = 0
        while taken < pieces * len(piece) and (data := await reader.read(1 << 20)):
            taken += len(data)
        drunk.set_result(taken)

    async def script(connection: OriginConnection) -> None:
        await connection.head()
        await connection.send(SWITCH)
        if slow_end == "client":
            await pour(connection)
        else:
            await drink(connection.reader)
        await connection.reader.read()

    async with raw_origin(script) as origin:
        relay = await start_relay(origin.port)
        async with relay.client() as client:
            await handshaken(relay, client)
            other = asyncio.create_task(pour(client) if slow_end == "upstream" else drink(client.reader))
            held_at = -1
            while held_at != sent:
                held_at = sent
                await asyncio.sleep(0.5)
            assert held_at < pieces / 2
            go.set()
            await asyncio.wait_for(other, 20)
            assert await asyncio.wait_for(drunk, 20) == pieces * len(piece)


async def test_each_side_may_end_on_its_own_and_still_hear_the_other(start_relay: Start) -> None:
    async def hears_out(connection: OriginConnection) -> None:
        await connection.head()
        await connection.send(SWITCH)
        assert await connection.reader.read() == b"last words"
        await connection.send(b"heard")

    async def ends_first(connection: OriginConnection) -> None:
        await connection.head()
        await connection.send(SWITCH + b"no more from me")
        connection.writer.write_eof()
        assert await connection.reader.read() == b"still here"

    async with raw_origin(hears_out) as origin:
        relay = await start_relay(origin.port)
        async with relay.client() as client:
            await handshaken(relay, client)
            await client.send(b"last words")
            client.writer.write_eof()
            assert await client.rest() == b"heard"
        await until(lambda: relay.director.outcomes)
    assert relay.director.outcomes[0].ending is Ending.COMPLETE

    async with raw_origin(ends_first) as origin:
        relay = await start_relay(origin.port)
        async with relay.client() as client:
            await handshaken(relay, client)
            assert await client.rest() == b"no more from me"
            await client.send(b"still here")
            client.writer.write_eof()
            await origin.ended.wait()
        await until(lambda: relay.director.outcomes)
    assert relay.director.outcomes[0].ending is Ending.COMPLETE


async def test_on_drain_a_message_under_way_is_finished_before_both_sides_are_told_1001(
    start_relay: Start,
) -> None:
    message = frame(TEXT, b"to be continued", masked=False)
    half = len(message) // 2
    resume = asyncio.Event()
    told: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def script(connection: OriginConnection) -> None:
        await connection.head()
        await connection.send(SWITCH + message[:half])
        await resume.wait()
        await connection.send(message[half:])
        told.set_result(await connection.reader.read())

    async with raw_origin(script) as origin:
        relay = await start_relay(origin.port)
        async with relay.client() as client:
            await handshaken(relay, client)
            await client.reader.readexactly(half)
            draining = asyncio.create_task(relay.relay.drain(5))
            await asyncio.sleep(0.1)
            resume.set()
            assert await client.rest() == message[half:] + b"\x88\x02\x03\xe9"
            assert await draining
            masked = await told

    assert masked[:2] == b"\x88\x82"
    assert bytes(byte ^ masked[2 + index % 4] for index, byte in enumerate(masked[6:])) == b"\x03\xe9"


async def test_a_websocket_that_is_cut_tells_its_client_1008_and_ends_although_nobody_answers(
    start_relay: Start,
) -> None:
    message = frame(TEXT, b"to be continued", masked=False)
    told: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def script(connection: OriginConnection) -> None:
        await connection.head()
        await connection.send(SWITCH + message)
        told.set_result(await connection.reader.readexactly(8))
        await connection.send(message)
        await connection.reader.read()

    async with raw_origin(script) as origin:
        relay = await start_relay(origin.port)
        async with relay.client() as client:
            await handshaken(relay, client)
            await client.reader.readexactly(len(message))
            (answer,) = relay.director.exchanges[0].ongoing

            answer.cut()
            answer.cut()

            async with asyncio.timeout(2):
                assert await client.rest() == b"\x88\x02\x03\xf0"
                await origin.ended.wait()
            masked = await told

    assert bytes(byte ^ masked[2 + index % 4] for index, byte in enumerate(masked[6:])) == b"\x03\xe9"
    assert [(o.status, o.ending) for o in relay.director.outcomes] == [(101, Ending.CUT)]


@pytest.mark.parametrize(
    "upgrade", [b"h2c", b"WebSocket/13", b"websocket, h2c", b"TLS/1.0", b"websocket\r\nUpgrade: h2c"]
)
async def test_no_other_upgrade_goes_on(start_relay: Start, upgrade: bytes) -> None:
    async def answer(connection: OriginConnection) -> None:
        await connection.head()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async with raw_origin(answer) as origin:
        relay = await start_relay(origin.port)
        status, head, _ = await relay.exchange(
            b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: "
            + upgrade
            + b"\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"
        )

    assert status == 200
    assert origin.heads == [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"]
    assert b"Upgrade" not in head
