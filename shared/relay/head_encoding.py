"""Heads as they go out, to the upstream and to the client."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from shared.relay.director import Field, Forward, Respond
from shared.relay.fields import UnsafeHead, encoded
from shared.relay.framing import NO_BODY, BodyFraming, Delimiter
from shared.relay.received import ReceivedRequest, ReceivedResponse
from shared.relay.status_lines import STATUS_LINES

_METHODS_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
_WEBSOCKET_LINES: Final = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
_VISIBLE: Final = re.compile(rb"[!-~]+")


def request_head(request: ReceivedRequest, forward: Forward) -> bytes:
    """What the upstream is sent.

    `Expect: 100-continue` goes on (RFC 9110 section 10.1.1 asks it of a proxy), so that an upstream can refuse before the
    body is on its way; its 100 is relayed like any interim response. Raises `UnsafeHead`.
    """
    return b"".join(
        (
            request.method.encode("ascii"),
            b" ",
            _visible(forward.target),
            b" HTTP/1.1\r\n",
            _host_line(forward.host),
            encoded(forward.fields),
            _request_framing(request),
            b"\r\n",
        )
    )


def _visible(text: str) -> bytes:
    if not text.isascii():
        raise UnsafeHead
    octets = text.encode("ascii")
    if not _VISIBLE.fullmatch(octets):
        raise UnsafeHead
    return octets


@lru_cache(maxsize=1024)
def _host_line(host: str) -> bytes:
    return b"".join((b"Host: ", _visible(host) if host else b"", b"\r\n"))


def _request_framing(request: ReceivedRequest) -> bytes:
    framing = request.framing
    if framing is NO_BODY:
        if request.websocket:
            return _WEBSOCKET_LINES
        return b"Content-Length: 0\r\n" if request.method in _METHODS_WITH_BODY else b""
    expect = b"Expect: 100-continue\r\n" if request.expects_continue else b""
    return expect + framing.line


def interim_head(status: int, fields: Sequence[Field]) -> bytes:
    return b"".join((STATUS_LINES[status], encoded(fields), b"\r\n"))


def switching_protocols(fields: Sequence[Field], request_id: str) -> bytes:
    return b"".join((STATUS_LINES[101], _WEBSOCKET_LINES, encoded(fields), _request_id(request_id), b"\r\n"))


def answer_framing(response: ReceivedResponse, *, http11: bool) -> BodyFraming:
    """How the body of an upstream's response is delimited towards the client."""
    if response.framing.delimiter is Delimiter.LENGTH:
        return response.framing
    return BodyFraming(Delimiter.CHUNKED if http11 else Delimiter.CLOSE)


def response_head(
    response: ReceivedResponse,
    fields: Sequence[Field],
    framing: BodyFraming,
    request_id: str,
    connection: bytes,
    date: bytes,
) -> bytes:
    """What the client is sent for an upstream's response. `connection` is a whole `Connection` line or nothing."""
    return b"".join(
        (
            STATUS_LINES[response.status],
            encoded(fields),
            _response_framing(response, framing),
            _request_id(request_id),
            b"" if response.has_date else date,
            connection,
            b"\r\n",
        )
    )


def _response_framing(response: ReceivedResponse, framing: BodyFraming) -> bytes:
    if response.bodiless:
        length = response.declared_length
        return b"" if length is None or response.status == 204 else b"Content-Length: %b\r\n" % length
    return framing.line


def answer(respond: Respond, request_id: str, connection: bytes, date: bytes, *, to_head: bool) -> bytes:
    """A whole answer of the relay or its director."""
    bodiless = respond.status in {204, 304}
    return b"".join(
        (
            STATUS_LINES[respond.status],
            encoded(respond.fields),
            b"" if bodiless else b"Content-Length: %d\r\n" % len(respond.body),
            _request_id(request_id),
            date,
            connection,
            b"\r\n",
            b"" if bodiless or to_head else respond.body,
        )
    )


def _request_id(request_id: str) -> bytes:
    return b"X-Request-ID: " + request_id.encode("ascii") + b"\r\n"


def connection_line(*, keep_alive: bool, http11: bool) -> bytes:
    """RFC 9112 section 9.3: persistence is the default of HTTP/1.1 and has to be said in HTTP/1.0."""
    if keep_alive:
        return b"" if http11 else b"Connection: keep-alive\r\n"
    return b"Connection: close\r\n"
