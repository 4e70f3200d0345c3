"""The grammar of message heads: start lines, and heads that are not complete yet.

Fact (RFC 9112 section 2.2): a bare LF may be taken as a line end; here it never is, since two readers that differ on it can be
split.
"""

import re
from functools import lru_cache
from typing import Final

from shared.relay.director import FaultKind
from shared.relay.faults import MessageRefused
from shared.relay.limits import Limits
from shared.relay.target import METHODS

HEAD_END: Final = b"\r\n\r\n"
MAX_METHOD: Final = 32  # also in the pattern below

_METHOD: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}")
_TARGET: Final = re.compile(rb"[\x21\x22\x24-\x7e]+")
"""Visible ASCII without `#`: a fragment is never sent."""

_VERSION: Final = re.compile(rb"HTTP/[0-9]\.[0-9]")
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: [\t\x20-\x7e\x80-\xff]*+)?")
_UNACCEPTABLE: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|(?<!\r)\n|\r(?!\n|\Z)")
_EMPTY_LINES: Final = re.compile(rb"(?:\r\n)+")


def without_leading_empty_lines(data: bytes) -> bytes:
    """RFC 9112 section 2.2: some clients send an empty line after a body; it belongs to no message."""
    if not data.startswith(b"\r\n"):
        return data
    match = _EMPTY_LINES.match(data)
    return data if match is None else data[match.end() :]


def lines_of(head: bytes) -> tuple[bytes, list[bytes]]:
    """The start line and the field lines of a complete head."""
    lines = head.split(b"\r\n")
    return lines[0], lines[1:-2]  # but for the empty line, and what follows it: nothing


def check_size(head: bytes, fields: list[bytes], limits: Limits) -> None:
    if len(head) > limits.max_head:
        raise MessageRefused("The message head is too large.", FaultKind.HEADERS_TOO_LARGE)
    if len(fields) > limits.max_fields:
        raise MessageRefused("There are too many fields.", FaultKind.HEADERS_TOO_LARGE)


def request_line(line: bytes, limits: Limits) -> tuple[bytes, bytes, bool]:
    """Method, target and whether the version is 1.1."""
    parts = line.split(b" ")
    if len(parts) != 3:
        raise _line_fault(parts, limits)
    method, target, version = parts[0], parts[1], parts[2]
    http11 = version == b"HTTP/1.1"
    if not (
        (http11 or version == b"HTTP/1.0")
        and len(target) <= limits.max_target
        and _TARGET.fullmatch(target)
        and (method in METHODS or _METHOD.fullmatch(method))
    ):
        raise _line_fault(parts, limits)
    return method, target, http11


def _line_fault(parts: list[bytes], limits: Limits) -> MessageRefused:
    """What is wrong with a request line."""
    if len(parts) == 3 and len(parts[1]) > limits.max_target:
        return MessageRefused("The request target is too long.", FaultKind.URI_TOO_LONG)
    if len(parts) == 3 and _VERSION.fullmatch(parts[2]) and parts[2] not in (b"HTTP/1.1", b"HTTP/1.0"):
        return MessageRefused("Only HTTP/1.1 and HTTP/1.0 are served.", FaultKind.VERSION_NOT_SUPPORTED)
    return MessageRefused("The request line is malformed.")


@lru_cache(maxsize=256)
def status_line(line: bytes) -> tuple[int, bool]:
    """Status and whether the version is 1.1."""
    match = _STATUS_LINE.fullmatch(line)
    if match is None:
        raise MessageRefused("The status line is malformed.")
    return int(match[2]), match[1] == b"1"


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
