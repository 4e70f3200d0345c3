"""What the relay leaves alone, and what ends at it, in both directions."""

import asyncio
import gzip

import pytest

from tests.servers.raw_origin import OK, OriginConnection, answering, raw_origin
from tests.servers.relay_under_test import Start

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


async def test_an_absolute_target_goes_on_in_origin_form_with_its_own_host(start_relay: Start) -> None:
    async with raw_origin(answering(OK)) as origin:
        relay = await start_relay(origin.port)
        for target in (b"http://Shop.example:81/a?b=%20c", b"HTTPS://Shop.example:81?b"):
            assert (await relay.exchange(b"GET " + target + b" HTTP/1.1\r\nHost: other\r\n\r\n"))[0] == 200

    assert origin.heads == [
        b"GET /a?b=%20c HTTP/1.1\r\nHost: shop.example:81\r\n\r\n",
        b"GET /?b HTTP/1.1\r\nHost: shop.example:81\r\n\r\n",
    ]


async def test_what_connection_names_ends_at_the_relay_in_both_directions(start_relay: Start) -> None:
    answer = (
        b"HTTP/1.1 200 OK\r\nX-Secret: s\r\nConnection: x-SECRET, Keep-Alive\r\nconnection: X-Other\r\n"
        b"x-other: o\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\nUpgrade: h2c\r\nX-Stays: y\r\n"
        b"Content-Length: 2\r\n\r\nok"
    )
    async with raw_origin(answering(answer)) as origin:
        relay = await start_relay(origin.port)
        _, head, _ = await relay.exchange(
            b"GET / HTTP/1.1\r\nHost: a\r\nX-Secret: s\r\nConnection: x-SECRET\r\nConnection: ,X-Other,\r\n"
            b"x-other: o\r\nTE: trailers\r\nX-Stays: y\r\n\r\n"
        )

    assert origin.heads == [b"GET / HTTP/1.1\r\nHost: a\r\nX-Stays: y\r\n\r\n"]
    names = [line.split(b":")[0] for line in head.split(b"\r\n")[1:] if line]
    assert names == [b"X-Stays", b"Content-Length", b"X-Request-ID", b"Date"]


@pytest.mark.parametrize("named", [b"Host", b"Content-Length", b"close, host, content-length"])
async def test_framing_and_host_cannot_be_named_away(start_relay: Start, named: bytes) -> None:
    async def read_body(connection: OriginConnection) -> None:
        await connection.head()
        assert await connection.reader.readexactly(3) == b"abc"
        await connection.send(OK)

    async with raw_origin(read_body) as origin:
        relay = await start_relay(origin.port)
        status, _, _ = await relay.exchange(
            b"POST / HTTP/1.1\r\nHost: a\r\nConnection: " + named + b"\r\nContent-Length: 3\r\n\r\nabc"
        )

    assert status == 200
    assert origin.heads == [b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n"]


async def test_cookies_redirects_and_unknown_statuses_come_as_they_are(start_relay: Start) -> None:
    lines = [
        b"Set-Cookie: a=1; Expires=Wed, 21 Oct 2099 07:28:00 GMT",
        b"set-cookie: b=2",
        b"Location: http://elsewhere/?a=%2f",
        b"SET-COOKIE: c=3",
        b"Server: theirs/1.0",
        b"X-Empty:",
    ]
    answer = b"\r\n".join([b"HTTP/1.1 399 Odd", *lines, b"Content-Length: 0", b"", b""])
    async with raw_origin(answering(answer)) as origin:
        relay = await start_relay(origin.port)
        status, head, _ = await relay.exchange(GET)

    assert status == 399
    assert head.split(b"\r\n")[1 : len(lines) + 1] == [
        line.replace(b"X-Empty:", b"X-Empty: ") for line in lines
    ]


async def test_a_coded_body_and_a_range_pass_byte_for_byte(start_relay: Start) -> None:
    coded = gzip.compress(bytes(range(256)) * 2)[:100]  # a part: nobody on the way could decode it
    answer = (
        b'HTTP/1.1 206 Partial Content\r\nContent-Encoding: gzip\r\nContent-Range: bytes 0-99/%d\r\nETag: "x"\r\n'
        b"Accept-Ranges: bytes\r\nContent-Length: 100\r\n\r\n" % 1000
    )
    async with raw_origin(answering(answer + coded)) as origin:
        relay = await start_relay(origin.port)
        status, head, body = await relay.exchange(
            b'GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip, br;q=0.5\r\nRange: bytes=0-99\r\nIf-Range: "x"\r\n\r\n'
        )

    assert (status, body) == (206, coded)
    assert head.startswith(answer.split(b"Content-Length")[0])
    assert b'Accept-Encoding: gzip, br;q=0.5\r\nRange: bytes=0-99\r\nIf-Range: "x"\r\n' in origin.heads[0]


async def test_trailers_of_an_answer_are_dropped_and_its_chunks_cut_anew(start_relay: Start) -> None:
    answer = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
        b"3;a=b\r\nabc\r\n003\r\ndef\r\n0\r\nX-Sum: 1\r\nContent-Length: 9\r\n\r\n"
    )
    async with raw_origin(answering(answer)) as origin:
        relay = await start_relay(origin.port)
        async with relay.client() as client:
            await client.send(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            received = await client.rest()

    assert b"Trailer" not in received
    assert received.partition(b"\r\n\r\n")[2] == b"6\r\nabcdef\r\n0\r\n\r\n"


async def test_several_interim_answers_keep_their_order_and_fields(start_relay: Start) -> None:
    interim = [
        b"HTTP/1.1 102 Processing\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nLink: </b>\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: </c>\r\n\r\n",
    ]
    async with raw_origin(answering(b"".join(interim) + OK)) as origin:
        relay = await start_relay(origin.port)
        async with relay.client() as client:
            for _ in range(2):
                await client.send(GET)
                assert [await client.head() for _ in interim] == interim
                assert (await client.response())[0] == 200

    assert origin.connections == 1


async def test_an_http10_client_gets_no_chunks_no_interim_answers_and_its_own_host_or_none(
    start_relay: Start,
) -> None:
    answer = b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    async with raw_origin(answering(answer)) as origin:
        relay = await start_relay(origin.port)
        received = []
        for host in (b"Host: a\r\n", b""):
            async with relay.client() as client:
                await client.send(b"GET / HTTP/1.0\r\n" + host + b"\r\n")
                received.append(await client.rest())

    assert origin.heads == [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"GET / HTTP/1.1\r\nHost: \r\n\r\n"]
    for answer in received:
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"chunked" not in answer
        assert answer.endswith(b"Connection: close\r\n\r\nok")


async def test_an_upstream_that_speaks_http10_is_a_good_upstream(start_relay: Start) -> None:
    async def old(connection: OriginConnection) -> None:
        await connection.head()
        await connection.send(b"HTTP/1.0 200 OK\r\n\r\nuntil ")
        await asyncio.sleep(0.05)
        await connection.send(b"the end")

    async with raw_origin(old) as origin:
        relay = await start_relay(origin.port)
        async with relay.client() as client:
            for _ in range(2):
                await client.send(GET)
                assert (await client.response())[2] == b"until the end"


async def test_a_half_closed_client_is_served_all_it_asked_for(start_relay: Start) -> None:
    async with raw_origin(answering(OK)) as origin:
        relay = await start_relay(origin.port)
        async with relay.client() as client:
            await client.send(GET * 5)
            client.writer.write_eof()
            received = await client.rest()

    assert received.count(b"HTTP/1.1 200 OK") == 5
