"""Request heads and bodies as strict as the table says; names are those of the public probe suites."""

import pytest

from shared.relay.director import FaultKind
from shared.relay.faults import STATUS_OF_FAULT, MessageRefused
from shared.relay.limits import Limits
from shared.relay.received import ReceivedRequest
from shared.relay.request_reader import RequestReader

LIMITS = Limits()
POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


def get(*lines: bytes, target: bytes = b"/", host: bytes = b"Host: a\r\n") -> bytes:
    return b"GET " + target + b" HTTP/1.1\r\n" + host + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


REFUSED: dict[str, tuple[bytes, int]] = {
    # Framing
    "CL-TE-BOTH": (POST + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX", 400),
    "TE-CL-BOTH": (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\nX", 400),
    "DUPLICATE-CL": (POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400),
    "DUPLICATE-CL-SAME": (POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400),
    "CL-LEADING-ZEROS": (POST + b"Content-Length: 005\r\n\r\nhello", 400),
    "CL-DOUBLE-ZERO": (POST + b"Content-Length: 00\r\n\r\n", 400),
    "CL-NEGATIVE": (POST + b"Content-Length: -1\r\n\r\n", 400),
    "CL-NEGATIVE-ZERO": (POST + b"Content-Length: -0\r\n\r\n", 400),
    "CL-PLUS": (POST + b"Content-Length: +5\r\n\r\nhello", 400),
    "CL-OCTAL": (POST + b"Content-Length: 0o5\r\n\r\nhello", 400),
    "CL-HEX-PREFIX": (POST + b"Content-Length: 0x5\r\n\r\nhello", 400),
    "CL-UNDERSCORE-DIGITS": (POST + b"Content-Length: 1_0\r\n\r\nhellohello", 400),
    "CL-INTERNAL-SPACE": (POST + b"Content-Length: 5 5\r\n\r\nhello", 400),
    "CL-COMMA-DIFFERENT": (POST + b"Content-Length: 5, 6\r\n\r\nhello", 400),
    "CL-COMMA-SAME": (POST + b"Content-Length: 5, 5\r\n\r\nhello", 400),
    "CL-COMMA-TRIPLE": (POST + b"Content-Length: 5,5,5\r\n\r\nhello", 400),
    "CL-EMPTY": (POST + b"Content-Length: \r\n\r\n", 400),
    "CL-OVERFLOW": (POST + b"Content-Length: 99999999999999999999999\r\n\r\n", 400),
    "CL-UNDERSCORE": (POST + b"Content_Length: 5\r\n\r\nhello", 400),
    "SP-BEFORE-COLON-CL": (POST + b"Content-Length : 5\r\n\r\nhello", 400),
    "TE-XCHUNKED": (POST + b"Transfer-Encoding: xchunked\r\n\r\n", 400),
    "TE-SP-BEFORE-COLON": (POST + b"Transfer-Encoding : chunked\r\n\r\n", 400),
    "TE-DOUBLE-CHUNKED": (POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n", 400),
    "TE-DUPLICATE-HEADERS": (
        POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
        400,
    ),
    "TE-NOT-FINAL-CHUNKED": (POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n", 400),
    "TE-IDENTITY": (POST + b"Transfer-Encoding: identity\r\n\r\n", 400),
    "TE-EMPTY-VALUE": (POST + b"Transfer-Encoding: \r\n\r\n", 400),
    "TE-LEADING-COMMA": (POST + b"Transfer-Encoding: , chunked\r\n\r\n", 400),
    "TE-TRAILING-COMMA": (POST + b"Transfer-Encoding: chunked,\r\n\r\n", 400),
    "TE-VTAB": (POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n", 400),
    "TE-FORMFEED": (POST + b"Transfer-Encoding: \x0cchunked\r\n\r\n", 400),
    "TE-NULL": (POST + b"Transfer-Encoding: chunked\x00\r\n\r\n", 400),
    "TE-OBS-FOLD": (POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n", 400),
    "TE-HTTP10": (b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "CHUNKED-WITH-PARAMS": (POST + b"Transfer-Encoding: chunked;a=b\r\n\r\n", 400),
    "TRANSFER_ENCODING": (POST + b"Transfer_Encoding: chunked\r\n\r\n", 400),
    # Chunks
    "CHUNK-BARE-SEMICOLON": (CHUNKED + b"5;\r\nhello\r\n0\r\n\r\n", 400),
    "CHUNK-EXT-INVALID-TOKEN": (CHUNKED + b"5;a[=b\r\nhello\r\n0\r\n\r\n", 400),
    "CHUNK-EXT-CTRL": (CHUNKED + b"5;a=\x01\r\nhello\r\n0\r\n\r\n", 400),
    "CHUNK-EXT-CR": (CHUNKED + b"5;a\rb\r\nhello\r\n0\r\n\r\n", 400),
    "CHUNK-EXT-LF": (CHUNKED + b"5;a\nb\r\nhello\r\n0\r\n\r\n", 400),
    "CHUNK-EXT-64K": (CHUNKED + b"5;" + b"a" * 65536 + b"\r\nhello\r\n0\r\n\r\n", 400),
    "CHUNK-HEX-PREFIX": (CHUNKED + b"0x5\r\nhello\r\n0\r\n\r\n", 400),
    "CHUNK-UNDERSCORE": (CHUNKED + b"0_5\r\nhello\r\n0\r\n\r\n", 400),
    "CHUNK-SIZE-PLUS": (CHUNKED + b"+5\r\nhello\r\n0\r\n\r\n", 400),
    "CHUNK-NEGATIVE": (CHUNKED + b"-1\r\nhello\r\n0\r\n\r\n", 400),
    "CHUNK-SIZE-TRAILING-OWS": (CHUNKED + b"5 \r\nhello\r\n0\r\n\r\n", 400),
    "CHUNK-LEADING-SP": (CHUNKED + b" 5\r\nhello\r\n0\r\n\r\n", 400),
    "CHUNK-MISSING-TRAILING-CRLF": (CHUNKED + b"5\r\nhello0\r\n\r\n", 400),
    "CHUNK-SPILL": (CHUNKED + b"5\r\nhello!\r\n0\r\n\r\n", 400),
    "CHUNK-LF-TERM": (CHUNKED + b"5\nhello\r\n0\r\n\r\n", 400),
    "CHUNK-BARE-CR-TERM": (CHUNKED + b"5\rhello\r\n0\r\n\r\n", 400),
    "CHUNK-LF-TRAILER": (CHUNKED + b"0\r\nA: b\n\r\n", 400),
    "CHUNK-SIZE-OVERFLOW": (CHUNKED + b"FFFFFFFFFFFFFFFF\r\nhello\r\n", 400),
    "CHUNK-SIZE-EMPTY": (CHUNKED + b"\r\nhello\r\n0\r\n\r\n", 400),
    "TRAILER-FOLD": (CHUNKED + b"0\r\nA: b\r\n c\r\n\r\n", 400),
    # Field lines
    "OBS-FOLD": (get(b"A: b\r\n c"), 400),
    "SP-BEFORE-COLON": (get(b"A : b"), 400),
    "EMPTY-NAME": (get(b": b"), 400),
    "NO-COLON": (get(b"Abc"), 400),
    "TAB-IN-NAME": (get(b"A\tB: c"), 400),
    "NON-TOKEN-NAME": (get(b"A(B): c"), 400),
    "NON-ASCII-NAME": (get(b"A\xe9: c"), 400),
    "CONTROL-CHARS-HEADER": (get(b"A: b\x01"), 400),
    "DEL-IN-VALUE": (get(b"A: b\x7f"), 400),
    "NUL-IN-VALUE": (get(b"A: b\x00c"), 400),
    "BARE-CR-HEADER-VALUE": (get(b"A: b\rc"), 400),
    "BARE-LF-HEADER": (get(b"A: b\nC: d"), 400),
    "BARE-LF-ALL": (b"GET / HTTP/1.1\nHost: a\n\n", 400),
    "LEADING-SP-FIRST-FIELD": (b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400),
    # Request line
    "LOWERCASE-VERSION": (b"GET / http/1.1\r\nHost: a\r\n\r\n", 400),
    "NO-VERSION": (b"GET /\r\n\r\n", 400),
    "INVALID-VERSION": (b"GET / HTTP/9.9\r\nHost: a\r\n\r\n", 505),
    "HTTP-2-VERSION": (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    "H2-PREFACE": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "EXTRA-SP": (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "TAB-SEPARATED": (b"GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "TRAILING-SP": (b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400),
    "LEADING-SP": (b" GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "LONG-METHOD": (b"A" * 1000 + b" / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "MISSING-TARGET": (b"GET HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "CR-ONLY-LINE-ENDING": (b"GET / HTTP/1.1\rHost: a\r\r", 400),
    "WHITESPACE-BEFORE-HEADERS": (b"GET / HTTP/1.1\r\n \r\nHost: a\r\n\r\n", 400),
    "CHUNK-SPACE-BEFORE-EXT": (CHUNKED + b"5 ;a=b\r\nhello\r\n0\r\n\r\n", 400),
    "UNKNOWN-METHOD": (b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
    "LOWERCASE-METHOD": (b"get / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
    "NUL-IN-URL": (get(target=b"/\x00"), 400),
    "NON-ASCII-URL": (get(target=b"/\xc3\xa9"), 400),
    "FRAGMENT-IN-URL": (get(target=b"/a#b"), 400),
    "RELATIVE-URL": (get(target=b"a/b"), 400),
    "LONG-URL": (get(target=b"/" + b"a" * 9000), 414),
    "ASTERISK-WITH-GET": (get(target=b"*"), 400),
    "METHOD-CONNECT": (b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 405),
    "METHOD-TRACE": (b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
    "BINARY-GARBAGE": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x00", 400),
    # Host
    "HOST-MISSING": (get(host=b""), 400),
    "HOST-EMPTY-VALUE": (get(host=b"Host: \r\n"), 400),
    "HOST-DUPLICATE": (get(host=b"Host: a\r\nHost: b\r\n"), 400),
    "HOST-DUPLICATE-SAME": (get(host=b"Host: a\r\nhost: a\r\n"), 400),
    "MULTIPLE-HOST-COMMA": (get(host=b"Host: a,b\r\n"), 400),
    "HOST-WITH-USERINFO": (get(host=b"Host: user@a\r\n"), 400),
    "HOST-WITH-PATH": (get(host=b"Host: a/b\r\n"), 400),
    "HOST-WITH-SPACE": (get(host=b"Host: a b\r\n"), 400),
    "HOST-BAD-PORT": (get(host=b"Host: a:99999\r\n"), 400),
    "ABSOLUTE-USERINFO": (get(target=b"http://u@a/"), 400),
    "ABSOLUTE-OTHER-SCHEME": (get(target=b"ftp://a/"), 400),
    # Sizes and expectations
    "LONG-HEADER-VALUE": (get(b"A: " + b"b" * 40_000), 431),
    "LONG-HEADER-NAME": (get(b"A" * 40_000 + b": b"), 431),
    "MANY-HEADERS": (get(*[b"A: b"] * 100), 431),
    "UNKNOWN-EXPECT": (POST + b"Content-Length: 5\r\nExpect: 200-ok\r\n\r\nhello", 417),
}


def read(data: bytes) -> tuple[ReceivedRequest | None, bytes, RequestReader]:
    reader = RequestReader(LIMITS)
    reader.keep(data)
    request = reader.head()
    return request, reader.body() if request is not None else b"", reader


@pytest.mark.parametrize("probe", REFUSED)
def test_a_message_that_readers_could_differ_on_is_refused(probe: str) -> None:
    data, status = REFUSED[probe]

    with pytest.raises(MessageRefused) as refused:
        read(data)

    assert STATUS_OF_FAULT[refused.value.kind] == status


@pytest.mark.parametrize("probe", REFUSED)
def test_it_is_refused_as_well_when_it_comes_byte_by_byte(probe: str) -> None:
    data, _ = REFUSED[probe]

    with pytest.raises(MessageRefused):
        read_byte_by_byte(data)


def read_byte_by_byte(data: bytes) -> None:
    """The first 12,000 bytes one by one: the rest of a long message adds nothing but time."""
    reader = RequestReader(LIMITS)
    request = None
    for piece in [*(data[index : index + 1] for index in range(min(len(data), 12_000))), data[12_000:]]:
        if request is None:
            reader.keep(piece)
            request = reader.head()
        else:
            reader.body(piece)


@pytest.mark.parametrize(
    ("data", "body"),
    [
        pytest.param(POST + b"Content-Length: 5\r\n\r\nhello", b"hello", id="PLAIN-CL"),
        pytest.param(POST + b"Content-Length:   5  \r\n\r\nhello", b"hello", id="CL-OWS"),
        pytest.param(POST + b"Content-Length:\t5\r\n\r\nhello", b"hello", id="CL-TAB"),
        pytest.param(
            POST + b"Transfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            b"hello",
            id="TE-CASE-MISMATCH",
        ),
        pytest.param(CHUNKED + b'5;a=b;c="d e"\r\nhello\r\n00\r\n\r\n', b"hello", id="CHUNK-EXT"),
        pytest.param(
            CHUNKED + b"A\r\nhellohello\r\n0\r\nContent-Length: 9\r\nX: y\r\n\r\n",
            b"hellohello",
            id="TRAILER-CL",
        ),
        pytest.param(b"\r\n\r\n" + POST + b"Content-Length: 1\r\n\r\nx", b"x", id="LEADING-EMPTY-LINES"),
    ],
)
def test_a_sound_body_is_read_exactly(data: bytes, body: bytes) -> None:
    request, content, reader = read(data + b"GET /next")

    assert request is not None
    assert content == body
    assert reader.body_is_complete
    assert reader.kept == b"GET /next"


def test_an_absolute_target_is_reduced_and_its_authority_wins_over_host() -> None:
    request, _, _ = read(get(target=b"HTTP://Other:81?q=1"))

    assert request is not None
    assert (request.target, request.host) == ("/?q=1", "other:81")


def test_options_may_ask_about_the_whole_server() -> None:
    request, _, _ = read(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")

    assert request is not None
    assert request.target == "*"


def test_http10_may_come_without_host_and_closes_by_default() -> None:
    request, _, _ = read(b"GET / HTTP/1.0\r\n\r\n")

    assert request is not None
    assert (request.host, request.keep_alive) == ("", False)


def test_hop_by_hop_and_nominated_fields_end_here_and_the_rest_keeps_order_case_and_duplicates() -> None:
    request, _, _ = read(
        get(
            b"COOKIE: a",
            b"X-Two: 1",
            b"connection: Keep-Alive, x-SECRET",
            b"X-Secret: s",
            b"x-two: 2",
            b"TE: trailers",
            b"Keep-Alive: 5",
            b"Proxy-Connection: x",
            b"Upgrade: h2c",
            b"HTTP2-Settings: x",
            b"Trailer: x",
            b"Proxy-Authorization: x",
        )
    )

    assert request is not None
    assert request.fields == [(b"COOKIE", b"a"), (b"X-Two", b"1"), (b"x-two", b"2")]
    assert not request.websocket


def test_only_a_complete_websocket_handshake_counts_as_one() -> None:
    shake = [b"Connection: keep-alive, Upgrade", b"Upgrade: WebSocket"]

    assert read(get(*shake))[0].websocket  # type: ignore[union-attr]  # a head that was refused would have raised
    assert not read(get(shake[1]))[0].websocket  # type: ignore[union-attr]  # as above
    assert not read(get(shake[0], b"Upgrade: websocket, h2c"))[0].websocket  # type: ignore[union-attr]  # as above


def test_a_head_that_cannot_become_right_is_refused_before_it_is_complete() -> None:
    reader = RequestReader(LIMITS)
    reader.keep(b"GET /" + b"a" * 9000)

    with pytest.raises(MessageRefused) as refused:
        reader.head()

    assert refused.value.kind is FaultKind.URI_TOO_LONG
