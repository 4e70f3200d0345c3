"""Where a message body ends (RFC 9112 section 6), with no ambiguity left over for anyone behind us.

Stricter than the RFC on purpose: repeated lengths are refused even when they agree, and any transfer coding but one
`chunked`, because every reader that is more generous than the next one is a way to smuggle a request (section 11.2).
"""

import re
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Final

from shared.relay.faults import MessageRefused
from shared.relay.fields import SortedFields

_LENGTH: Final = re.compile(rb"0|[1-9][0-9]{0,17}")
_NO_LENGTH: Final = "Content-Length must be one decimal number."


class Delimiter(Enum):
    LENGTH = "length"
    CHUNKED = "chunked"
    CLOSE = "close"


@dataclass(slots=True, init=False)
class BodyFraming:
    """How a body is delimited; `length` in bytes is meaningful for LENGTH only. `line` is the field line that says so."""

    delimiter: Delimiter
    length: int
    line: bytes = field(init=False, repr=False, compare=False)

    def __init__(self, delimiter: Delimiter, length: int = 0) -> None:
        self.delimiter = delimiter
        self.length = length
        self.line = _line(delimiter, length)


def _line(delimiter: Delimiter, length: int) -> bytes:
    match delimiter:
        case Delimiter.LENGTH:
            return b"Content-Length: %d\r\n" % length
        case Delimiter.CHUNKED:
            return b"Transfer-Encoding: chunked\r\n"
        case Delimiter.CLOSE:
            return b""


NO_BODY: Final = BodyFraming(Delimiter.LENGTH, 0)
"""The only framing of an empty body, so that it can be told by identity."""

CHUNKED: Final = BodyFraming(Delimiter.CHUNKED)
UNTIL_CLOSE: Final = BodyFraming(Delimiter.CLOSE)


def request_framing(fields: SortedFields, *, http11: bool) -> BodyFraming:
    return _declared(fields, http11=http11) or NO_BODY


def response_framing(fields: SortedFields, *, status: int, to_head: bool, http11: bool) -> BodyFraming:
    """Checks what the fields declare even where the status or the method means that there is no body."""
    declared = _declared(fields, http11=http11)
    if to_head or status < 200 or status in {204, 304}:
        return NO_BODY
    return declared or UNTIL_CLOSE


def _declared(fields: SortedFields, *, http11: bool) -> BodyFraming | None:
    codings = fields.ended.get(b"transfer-encoding")
    lengths = fields.ended.get(b"content-length")
    if codings is not None:
        if lengths is not None:
            raise MessageRefused("Content-Length and Transfer-Encoding exclude each other.")
        if not http11:
            raise MessageRefused("HTTP/1.0 has no Transfer-Encoding.")
        if len(codings) != 1 or codings[0].lower() != b"chunked":
            raise MessageRefused("The only transfer coding accepted is one `chunked`.")
        return CHUNKED
    if lengths is None:
        return None
    if len(lengths) != 1:
        raise MessageRefused(_NO_LENGTH)
    return _of_length(lengths[0])


@lru_cache(maxsize=1024)
def _of_length(value: bytes) -> BodyFraming:
    if not _LENGTH.fullmatch(value):
        raise MessageRefused(_NO_LENGTH)
    length = int(value)
    return BodyFraming(Delimiter.LENGTH, length) if length else NO_BODY
