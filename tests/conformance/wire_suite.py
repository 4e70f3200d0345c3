"""Thirty-three cases close to the wire: what uNetworking/h1spec asks of a server that echoes bodies, in our own words."""

from tests.conformance.case import Case, Play, answered
from tests.conformance.dialogue import Dialogue

OK = range(200, 300)
REFUSED = range(400, 500)
REFUSED_OR_UNABLE = range(400, 600)

HOST = b"Host: example.com\r\n"
GET = b"GET / HTTP/1.1\r\n"
POST = b"POST / HTTP/1.1\r\n" + HOST
TEXT = b"HellO world1"
CHUNKS = b"c\r\n" + TEXT + b"\r\n0\r\n\r\n"


def waits(part: bytes) -> Play:
    """The rest may still come, so nothing is said yet and nobody hangs up."""

    async def play(line: Dialogue) -> str | None:
        await line.say(part)
        return None if await line.stays_silent() else "it did not wait for the rest"

    return play


_START = b"GET /hello HTTP/1.1\r\n"
_PARTS = (
    ("the first letter of a method", b"G"),
    ("a method and a space", b"GET "),
    ("a target that may go on", b"GET /hello"),
    ("a target and a space", b"GET /hello "),
    ("a protocol name", b"GET /hello HTTP"),
    ("a request line without line end", b"GET /hello HTTP/1.1"),
    ("a request line with CR", b"GET /hello HTTP/1.1\r"),
    ("a request line with CR and LF", _START),
    ("half a field name", _START + b"Hos"),
    ("a field name and its colon", _START + b"Host:"),
    ("a colon and a space", _START + b"Host: "),
    ("a field value that may go on", _START + b"Host: localhost"),
    ("a field line with CR", _START + b"Host: localhost\r"),
    ("a whole field line", _START + b"Host: localhost\r\n"),
    ("all but the last LF", _START + b"Host: localhost\r\n\r"),
)

CASES = (
    *(Case(f"after {what} it waits", waits(part)) for what, part in _PARTS),
    Case("a request line without version is refused", answered(b"GET / \r\n\r\n", REFUSED_OR_UNABLE)),
    Case(
        "an expectation without a body is answered",
        answered(GET + HOST + b"Expect: 100-continue\r\n\r\n", OK),
    ),
    Case("a plain GET succeeds", answered(GET + HOST + b"\r\n", OK)),
    Case(
        "odd case, a tab and an empty value are fine",
        answered(GET + b"hoSt:\texample.com\r\nempty:\r\n\r\n", OK),
    ),
    Case(
        "brackets in a field name are refused", answered(GET + HOST + b"X-Invalid[]: test\r\n\r\n", REFUSED)
    ),
    Case("a missing Host is refused", answered(GET + b"Content-Length: 5\r\n\r\n", REFUSED)),
    Case("two Hosts are refused", answered(GET + HOST + b"Host: example.org\r\n\r\n", REFUSED)),
    Case(
        "a length far below zero is refused",
        answered(GET + HOST + b"Content-Length: -123456789123456789123456789\r\n\r\n", REFUSED),
    ),
    Case("a length below zero is refused", answered(GET + HOST + b"Content-Length: -1234\r\n\r\n", REFUSED)),
    Case("a length in letters is refused", answered(GET + HOST + b"Content-Length: abc\r\n\r\n", REFUSED)),
    Case("a value of one space is fine", answered(GET + HOST + b"X-Empty-Header: \r\n\r\n", OK)),
    Case("a bell in a value is refused", answered(GET + HOST + b"X-Bad: test\x07\r\n\r\n", REFUSED)),
    Case("HTTP/9.9 is refused", answered(b"GET / HTTP/9.9\r\n" + HOST + b"\r\n", REFUSED_OR_UNABLE)),
    Case(
        "words before the method are refused",
        answered(b"Extra line" + GET + HOST + b"\r\n", REFUSED_OR_UNABLE),
    ),
    Case("a stray CR is refused", answered(GET + HOST + b"\rSome-Header: Test\r\n\r\n", REFUSED)),
    Case(
        "a body with a length comes back",
        answered(POST + b"Content-Length: 5\r\n\r\nhello", {*OK, 404}, b"hello"),
    ),
    Case(
        "a chunked body comes back", answered(POST + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKS, OK, TEXT)
    ),
    Case(
        "a length beside chunks, in odd case, is refused or gives way",
        answered(
            POST + b"content-LengtH: 5\r\nTransFer-Encoding: chunked\r\n\r\n" + CHUNKS, {*OK, *REFUSED}, TEXT
        ),
    ),
)
