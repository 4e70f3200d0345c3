"""Probes of the public suites that need a whole connection to judge: what the client is told, and what the origin got to see.

Those that a single head or body decides are in `tests/unit/relay/test_relay_requests_read.py`.
"""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from tests.servers.raw_origin import OriginConnection, raw_origin
from tests.servers.relay_under_test import Start

STATUS = re.compile(rb"HTTP/1\.1 ([0-9]{3}) ")
HOST = b"Host: a\r\n"
POST = b"POST / HTTP/1.1\r\n" + HOST
GET = b"GET / HTTP/1.1\r\n" + HOST
TE = b"Transfer-Encoding: chunked\r\n"
CHUNKS = b"5\r\nhello\r\n0\r\n\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
SMUGGLED_HEAD = b"HEAD /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
NEXT = b"GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Probe:
    """`statuses`: of all answers, up to the end of the connection. `seen`: the requests that reach the origin, as `METHOD
    target body`.
    """

    data: bytes
    statuses: tuple[int, ...]
    seen: tuple[bytes, ...] = ()


def refused(data: bytes, status: int = 400) -> Probe:
    """Refused whole: nothing reaches the origin, and what follows on the connection is not served."""
    return Probe(data + NEXT, (status,))


def served(data: bytes, *seen: bytes) -> Probe:
    """Served, and so is the request that follows."""
    return Probe(data + NEXT, (200,) * (len(seen) + 1), (*seen, b"GET /next "))


HELLO = b"POST / hello"
PROBES = {
    # Lengths and codings that disagree, with a request hidden where one of them ends
    "CLTE-PIPELINE": refused(POST + b"Content-Length: 4\r\n" + TE + b"\r\n0\r\n\r\n" + SMUGGLED),
    "TECL-PIPELINE": refused(POST + TE + b"Content-Length: 30\r\n\r\n0\r\n\r\n" + SMUGGLED),
    "CLTE-CONN-CLOSE": refused(POST + b"Content-Length: 5\r\n" + TE + b"\r\n" + CHUNKS),
    "TECL-CONN-CLOSE": refused(POST + TE + b"Content-Length: 5\r\n\r\n" + CHUNKS),
    "CLTE-KEEPALIVE": refused(
        POST + b"Connection: keep-alive\r\nContent-Length: 5\r\n" + TE + b"\r\n0\r\n\r\n"
    ),
    "CLTE-DESYNC": refused(POST + b"Content-Length: 6\r\n" + TE + b"\r\n0\r\n\r\nX"),
    "TECL-DESYNC": refused(POST + TE + b"Content-Length: 30\r\n\r\n0\r\n\r\nX"),
    "CLTE-SMUGGLED-GET": refused(
        POST + b"Content-Length: %d\r\n" % (5 + len(SMUGGLED)) + TE + b"\r\n0\r\n\r\n" + SMUGGLED
    ),
    "CLTE-SMUGGLED-HEAD": refused(
        POST + b"Content-Length: %d\r\n" % (5 + len(SMUGGLED_HEAD)) + TE + b"\r\n0\r\n\r\n" + SMUGGLED_HEAD
    ),
    "CLTE-SMUGGLED-GET-CL-PLUS": refused(POST + b"Content-Length: +5\r\n" + TE + b"\r\n0\r\n\r\n" + SMUGGLED),
    "CLTE-SMUGGLED-GET-CL-NON-NUMERIC": refused(
        POST + b"Content-Length: N\r\n" + TE + b"\r\n0\r\n\r\n" + SMUGGLED
    ),
    "CLTE-SMUGGLED-GET-TE-OBS-FOLD": refused(
        POST + b"Content-Length: 5\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + SMUGGLED
    ),
    "CLTE-SMUGGLED-GET-TE-TRAILING-SPACE": refused(
        POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked \r\n\r\n0\r\n\r\n" + SMUGGLED
    ),
    "CLTE-SMUGGLED-GET-TE-LEADING-COMMA": refused(
        POST + b"Content-Length: 5\r\nTransfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n" + SMUGGLED
    ),
    "CLTE-SMUGGLED-GET-TE-CASE-MISMATCH": refused(
        POST + b"Content-Length: 5\r\nTransfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n" + SMUGGLED
    ),
    "TECL-SMUGGLED-GET": refused(
        POST + TE + b"Content-Length: 4\r\n\r\n23\r\n" + SMUGGLED + b"\r\n0\r\n\r\n"
    ),
    "TE-DUPLICATE-HEADERS-SMUGGLED-GET": refused(
        POST + TE + b"Transfer-Encoding: identity\r\n\r\n0\r\n\r\n" + SMUGGLED
    ),
    "DUPLICATE-CL-SMUGGLED-GET": refused(POST + b"Content-Length: 0\r\nContent-Length: 5\r\n\r\n" + SMUGGLED),
    "CASE-TE": refused(POST + b"Content-Length: 5\r\nTRANSFER-ENCODING: chunked\r\n\r\n" + CHUNKS),
    "UNDERSCORE-TE": refused(POST + b"Content-Length: 5\r\nTransfer_Encoding: chunked\r\n\r\nhello"),
    "UNDERSCORE-CL": refused(POST + b"Content_Length: 5\r\n\r\nhello"),
    "CHUNK-INVALID-SIZE-DESYNC": Probe(POST + TE + b"\r\n+0\r\n\r\n" + SMUGGLED + NEXT, (400,)),
    "EXPECT-100-CL-DESYNC": Probe(
        POST + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED + NEXT,
        (200, 200),
        (b"POST / " + SMUGGLED, b"GET /next "),
    ),
    # White space that the grammar allows
    "TE-TRAILING-SPACE": served(POST + b"Transfer-Encoding: chunked \r\n\r\n" + CHUNKS, HELLO),
    "TE-TAB-BEFORE-VALUE": served(POST + b"Transfer-Encoding:\tchunked\r\n\r\n" + CHUNKS, HELLO),
    "TE-CASE-MISMATCH": served(POST + b"Transfer-Encoding: Chunked\r\n\r\n" + CHUNKS, HELLO),
    "CL-TRAILING-SPACE": served(POST + b"Content-Length: 5 \r\n\r\nhello", HELLO),
    "CL-EXTRA-LEADING-SP": served(POST + b"Content-Length:  5\r\n\r\nhello", HELLO),
    # Bodies where few send one
    "EXPECT-100-CL": served(POST + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello", HELLO),
    "HEAD-CL-BODY": Probe(
        b"HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" + NEXT,
        (200, 200),
        (b"HEAD / hello", b"GET /next "),
    ),
    "OPTIONS-CL-BODY": served(
        b"OPTIONS / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", b"OPTIONS / hello"
    ),
    "OPTIONS-CL-BODY-DESYNC": served(
        b"OPTIONS / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED,
        b"OPTIONS / " + SMUGGLED,
    ),
    "GET-CL-BODY-DESYNC": served(
        GET + b"Content-Length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED, b"GET / " + SMUGGLED
    ),
    "CL0-BODY-POISON": Probe(POST + b"Content-Length: 0\r\n\r\nX" + NEXT, (200, 405), (b"POST / ",)),
    "PIPELINE-SAFE": served(GET + b"\r\n" + GET + b"\r\n", b"GET / ", b"GET / "),
    # Trailers end here, whatever they say
    "TRAILER-CL": served(POST + TE + b"\r\n5\r\nhello\r\n0\r\nContent-Length: 50\r\n\r\n", HELLO),
    "TRAILER-TE": served(POST + TE + b"\r\n5\r\nhello\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n", HELLO),
    "TRAILER-HOST": served(POST + TE + b"\r\n5\r\nhello\r\n0\r\nHost: evil\r\n\r\n", HELLO),
    "TRAILER-AUTH": served(POST + TE + b"\r\n5\r\nhello\r\n0\r\nAuthorization: Bearer x\r\n\r\n", HELLO),
    "TRAILER-CONTENT-TYPE": served(
        POST + TE + b"\r\n5\r\nhello\r\n0\r\nContent-Type: text/evil\r\n\r\n", HELLO
    ),
    # Targets and fields
    "ABSOLUTE-URI-HOST-MISMATCH": served(b"GET http://other/x HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /x "),
    "RANGE-OVERLAPPING": served(GET + b"Range: bytes=" + b"0-," * 999 + b"0-\r\n\r\n", b"GET / "),
    "NON-ASCII-VALUE": served(GET + b"X: gr\xc3\xbc\xc3\x9fe\r\n\r\n", b"GET / "),
    "NON-ASCII-HEADER-NAME": refused(GET + b"X-\xc3\xbc: y\r\n\r\n"),
    "NON-ASCII-URL": refused(b"GET /\xc3\xbc HTTP/1.1\r\nHost: a\r\n\r\n"),
    "URL-OVERLONG-UTF8": refused(b"GET /\xc0\xaf HTTP/1.1\r\nHost: a\r\n\r\n"),
    "H2-PREFACE": refused(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "INCOMPLETE": Probe(b"GET / HTTP/1.1\r\nHost: a\r\n", (400,)),
    "EMPTY": Probe(b"", ()),
    "POST-CL-HUGE-NO-BODY": Probe(POST + b"Content-Length: 999999999\r\n\r\n", (400,)),
}


@pytest.mark.parametrize("name", PROBES)
async def test_probe(start_relay: Start, name: str) -> None:
    probe = PROBES[name]
    seen: list[bytes] = []

    async def remember(connection: OriginConnection) -> None:
        while True:
            head = await connection.head()
            method, target, _ = head.split(b" ", 2)
            seen.append(b"%b %b %b" % (method, target, await _body(connection, head)))
            body = b"" if method == b"HEAD" else b"ok"
            await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + body)

    async with raw_origin(remember) as origin:
        relay = await start_relay(origin.port)
        async with relay.client() as client:
            await client.send(probe.data)
            client.writer.write_eof()
            received = await client.rest()

    assert tuple(int(status) for status in STATUS.findall(received)) == probe.statuses
    assert tuple(seen) == probe.seen
    assert b"trailer" not in b"".join(origin.heads).lower()
    assert b"evil" not in b"".join(origin.heads)


async def _body(connection: OriginConnection, head: bytes) -> bytes:
    lowered = head.lower()
    if b"\r\ntransfer-encoding: chunked" in lowered:
        return b"".join([chunk async for chunk in _chunks(connection)])
    if b"\r\ncontent-length: " not in lowered:
        return b""
    return await connection.reader.readexactly(
        int(lowered.split(b"\r\ncontent-length: ")[1].split(b"\r\n")[0])
    )


async def _chunks(connection: OriginConnection) -> AsyncIterator[bytes]:
    while size := int(await connection.reader.readuntil(b"\r\n"), 16):
        yield (await connection.reader.readexactly(size + 2))[:-2]
    assert await connection.reader.readexactly(2) == b"\r\n"
