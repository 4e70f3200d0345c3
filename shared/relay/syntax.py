"""The grammar of message heads: start lines and field lines, from one complete head to its parts.

Facts (RFC 9112):
- Section 2.2: a bare LF may be taken as a line end; here it never is, since two readers that differ on it can be split.
- Section 5.1: no white space between field name and colon. Section 5.2: line folding is obsolete.
- RFC 9110 section 5.5: CR, LF and NUL in a value are dangerous and must be refused or replaced.
Field lines are read by llhttp in its strict mode, which refuses all of these; what it lets pass is refused here.
"""

import re

import httptools

from shared.relay.director import FaultKind, Field
from shared.relay.faults import MessageRefused
from shared.relay.limits import Limits

HEAD_END = b"\r\n\r\n"
MAX_METHOD = 32  # also in the pattern below

# The target is visible ASCII without `#`: a fragment is never sent.
_REQUEST_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}) ([\x21\x22\x24-\x7e]++) HTTP/1\.([01])\r\n")
_VERSION = re.compile(rb"HTTP/[0-9]\.[0-9]")
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: [\t\x20-\x7e\x80-\xff]*+)?\r\n")
_UNACCEPTABLE = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|(?<!\r)\n|\r(?!\n|\Z)")
_EMPTY_LINES = re.compile(rb"(?:\r\n)+")


def without_leading_empty_lines(data: bytes) -> bytes:
    """RFC 9112 section 2.2: some clients send an empty line after a body; it belongs to no message."""
    if not data.startswith(b"\r\n"):
        return data
    match = _EMPTY_LINES.match(data)
    return data if match is None else data[match.end() :]


class _Collector:
    """Takes field lines from the parser."""

    __slots__ = ("fields",)

    def __init__(self) -> None:
        self.fields: list[Field] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name, value.rstrip(b" \t")))


def request_line(head: bytes, limits: Limits) -> tuple[bytes, bytes, bool]:
    """Method, target and whether the version is 1.1."""
    match = _REQUEST_LINE.match(head)
    if match is None:
        raise _line_fault(head, limits)
    method, target, minor = match.groups()
    if len(target) > limits.max_target:
        raise MessageRefused("The request target is too long.", FaultKind.URI_TOO_LONG)
    return method, target, minor == b"1"


def _line_fault(head: bytes, limits: Limits) -> MessageRefused:
    """What is wrong with a request line that does not match."""
    parts = head[: head.index(b"\r\n")].split(b" ")
    if len(parts) == 3 and len(parts[1]) > limits.max_target:
        return MessageRefused("The request target is too long.", FaultKind.URI_TOO_LONG)
    if len(parts) == 3 and _VERSION.fullmatch(parts[2]) and parts[2] not in (b"HTTP/1.1", b"HTTP/1.0"):
        return MessageRefused("Only HTTP/1.1 and HTTP/1.0 are served.", FaultKind.VERSION_NOT_SUPPORTED)
    return MessageRefused("The request line is malformed.")


def request_fields(head: bytes, limits: Limits) -> list[Field]:
    if len(head) > limits.max_head:
        raise MessageRefused("The request head is too large.", FaultKind.HEADERS_TOO_LARGE)
    collector = _Collector()
    parser = httptools.HttpRequestParser(collector)
    try:
        parser.feed_data(head)
    except httptools.HttpParserUpgrade:
        pass  # llhttp stops after a head that asks for an upgrade; the whole head has been read
    except httptools.HttpParserInvalidMethodError:
        raise MessageRefused("The method is not known.", FaultKind.METHOD_NOT_ALLOWED) from None
    except httptools.HttpParserError:
        raise MessageRefused("The request head is malformed.") from None
    return _checked(collector.fields, limits)


def status_line(head: bytes) -> tuple[int, bool]:
    """Status and whether the version is 1.1."""
    match = _STATUS_LINE.match(head)
    if match is None:
        raise MessageRefused("The status line is malformed.")
    return int(match[2]), match[1] == b"1"


def response_fields(head: bytes, limits: Limits) -> list[Field]:
    collector = _Collector()
    parser = httptools.HttpResponseParser(collector)
    try:
        parser.feed_data(head)
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserError:
        raise MessageRefused("The response head is malformed.") from None
    return _checked(collector.fields, limits)


def _checked(fields: list[Field], limits: Limits) -> list[Field]:
    if len(fields) > limits.max_fields:
        raise MessageRefused("There are too many fields.", FaultKind.HEADERS_TOO_LARGE)
    return fields


def check_unfinished_head(head: bytes, new_from: int, limits: Limits) -> None:
    """Refuses a head that cannot become acceptable any more, so that its sender need not wait for the deadline.

    `new_from`: where the bytes begin that no earlier call has seen.
    """
    if _UNACCEPTABLE.search(head, max(0, new_from - 1)):
        raise MessageRefused("The request head has a character that is not allowed.")
    if b"\r\n" not in head and len(head) > limits.max_target + MAX_METHOD:
        raise MessageRefused("The request target is too long.", FaultKind.URI_TOO_LONG)
    if len(head) > limits.max_head:
        raise MessageRefused("The request head is too large.", FaultKind.HEADERS_TOO_LARGE)
