"""Thirty-three cases by the sections of RFC 9112 and RFC 9110: what dropseed/h1spec asks of a server, in our own words."""

import contextlib

from tests.conformance.case import Case, Play, answered
from tests.conformance.dialogue import Dialogue, NoAnswer, dialogue

ANY = range(100, 600)
NOT_400 = [status for status in ANY if status != 400]

HOST = b"Host: localhost\r\n"
GET = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"
LAST_GET = b"GET / HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"
POST = b"POST / HTTP/1.1\r\n" + HOST
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n"
CHUNKS = b"5\r\nhello\r\n0\r\n\r\n"
BOTH_LENGTHS = CHUNKED + b"Content-Length: 5\r\n\r\n" + CHUNKS


def get(*lines: bytes, first: bytes = b"GET / HTTP/1.1") -> bytes:
    return b"\r\n".join((first, *lines, b"", b""))


async def _both_lengths_end_the_connection(line: Dialogue) -> str | None:
    await line.say(BOTH_LENGTHS)
    if (await line.answer()).closes:
        return None
    await line.say(GET)
    try:
        second = await line.answer()
    except NoAnswer:
        return None
    return f"a second request was answered with {second.status}"


async def _a_coding_after_chunked(line: Dialogue) -> str | None:
    await line.say(POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n" + CHUNKS + LAST_GET)
    statuses = await line.statuses_until_close()
    return None if statuses == [400] else f"statuses {statuses}"


def broken_chunks(body: bytes) -> Play:
    """A broken body with a request behind it: 400 somewhere, or one answer and the end."""

    async def play(line: Dialogue) -> str | None:
        await line.say(CHUNKED + b"\r\n" + body + LAST_GET)
        statuses = await line.statuses_until_close()
        return None if 400 in statuses or len(statuses) == 1 else f"statuses {statuses}"

    return play


async def _expectation(line: Dialogue) -> str | None:
    await line.say(POST + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    first = await line.answer(interim=True)
    if first.status != 100:
        return None if 400 <= first.status < 500 else f"status {first.status}"
    await line.say(b"hello")
    await line.answer()
    return None


async def _two_requests(line: Dialogue) -> str | None:
    for _ in range(2):
        await line.say(GET)
        await line.answer()
    return None


def closed_after(request: bytes) -> Play:
    async def play(line: Dialogue) -> str | None:
        await line.say(request)
        return None if await line.statuses_until_close() else "closed without an answer"

    return play


async def _head(line: Dialogue) -> str | None:
    await line.say(get(b"Host: localhost", b"Connection: close", first=b"HEAD / HTTP/1.1"), more=False)
    received = await line.everything()
    head, end, body = received.partition(b"\r\n\r\n")
    if not end:
        return f"no head in {head[:40]!r}"
    return f"{len(body)} bytes of body" if body else None


async def _an_error_has_an_end(line: Dialogue) -> str | None:
    await line.say(get(b"Host: localhost", first=b"get / HTTP/1.1"), more=False)
    answer = await line.answer()
    ends = answer.chunked or answer.closes or b"content-length" in answer.fields
    return None if ends else "the answer says nowhere how it ends"


def survived(request: bytes) -> Play:
    """Whatever it makes of the request, even nothing, the next client is served."""

    async def play(line: Dialogue) -> str | None:
        await line.say(request, more=False)
        with contextlib.suppress(NoAnswer):
            await line.answer()
        async with dialogue(line.server) as next_line:
            await next_line.say(GET, more=False)
            await next_line.answer()
        return None

    return play


CASES = (
    # Request line (RFC 9112 section 3)
    Case("a plain GET is answered", answered(GET, ANY)),
    Case("a POST with a length is taken", answered(POST + b"Content-Length: 5\r\n\r\nhello", NOT_400)),
    Case(
        "OPTIONS may ask about the server",
        answered(get(b"Host: localhost", first=b"OPTIONS * HTTP/1.1"), NOT_400),
    ),
    Case(
        "a target in absolute form is understood",
        answered(get(b"Host: localhost", first=b"GET http://localhost/ HTTP/1.1"), NOT_400),
    ),
    Case(
        "CONNECT with an authority is understood",
        answered(get(b"Host: localhost", first=b"CONNECT example.com:443 HTTP/1.1"), NOT_400),
    ),
    Case("HTTP/2.0 is refused", answered(get(b"Host: localhost", first=b"GET / HTTP/2.0"), {400, 505})),
    Case(
        "a request line without version is refused", answered(get(b"Host: localhost", first=b"GET /"), {400})
    ),
    # Fields (RFC 9112 section 5)
    Case("a missing Host is refused", answered(get(), {400})),
    Case("two Hosts are refused", answered(get(b"Host: localhost", b"Host: example.com"), {400})),
    Case("a Host with a space in it is refused", answered(get(b"Host: bad host"), {400})),
    Case("a field name with a space in it is refused", answered(get(b"Host: a", b"Bad Name: value"), {400})),
    Case("a folded field line is refused", answered(get(b"Host: localhost", b"  goes on"), {400})),
    Case("a space before the colon is refused", answered(get(b"Host : localhost"), {400})),
    Case("a NUL in a field value is refused", answered(get(b"Host: local\x00host"), {400})),
    # Bodies (RFC 9112 sections 6 and 7)
    Case("a chunked body is taken", answered(CHUNKED + b"\r\n" + CHUNKS, NOT_400)),
    Case(
        "chunks in HTTP/1.0 are refused", answered(CHUNKED.replace(b"1.1", b"1.0") + b"\r\n" + CHUNKS, {400})
    ),
    Case("a length beside chunks is refused", answered(BOTH_LENGTHS, {400})),
    Case("a length beside chunks ends the connection", _both_lengths_end_the_connection),
    Case(
        "an unknown transfer coding is refused",
        answered(POST + b"Transfer-Encoding: nonsense\r\n\r\nhello", {400, 501}),
    ),
    Case("a coding after chunked is refused, and what follows not served", _a_coding_after_chunked),
    Case("a length in letters is refused", answered(POST + b"Content-Length: xyz\r\n\r\nhello", {400})),
    Case(
        "two different lengths are refused",
        answered(POST + b"Content-Length: 5\r\nContent-Length: 7\r\n\r\nhello!!", {400}),
    ),
    Case("a chunk size in letters is refused", broken_chunks(b"Z\r\nhello\r\n0\r\n\r\n")),
    Case("a chunk without its line end is refused", broken_chunks(b"5\r\nhello0\r\n\r\n")),
    Case("an expectation is met or refused before the body", _expectation),
    # Connections (RFC 9112 section 9)
    Case("a connection serves a second request", _two_requests),
    Case("`Connection: close` is honoured", closed_after(LAST_GET)),
    Case("HTTP/1.0 closes by default", closed_after(GET.replace(b"1.1", b"1.0"))),
    # Answers (RFC 9110)
    Case("an answer to HEAD has no body", _head),
    Case("an error says where it ends", _an_error_has_an_end),
    # Hardening
    Case(
        "a long request line does no harm",
        survived(get(b"Host: localhost", first=b"GET /%b HTTP/1.1" % (b"a" * 9000))),
    ),
    Case(
        "a flood of fields does no harm",
        survived(get(b"Host: localhost", *(b"X-%d: value" % number for number in range(101)))),
    ),
    Case("a large field does no harm", survived(get(b"Host: localhost", b"X-Large: " + b"x" * 9000))),
)
