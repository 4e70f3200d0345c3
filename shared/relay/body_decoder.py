"""Takes body bytes off the wire and gives content back; never more than the message holds.

`decode(data)` returns the content in `data` and what follows the message; `done` tells whether the body has ended.
"""

import re
from enum import Enum
from typing import Final, Protocol

from shared.relay.faults import MessageRefused
from shared.relay.framing import NO_BODY, BodyFraming, Delimiter
from shared.relay.limits import Limits

# RFC 9112 section 7.1, without optional white space before an extension. 15 digits stay below 2^60.
# No possessive group: before Python 3.11.5 one takes `;` with nothing after it for an extension (gh-106052).
_CHUNK_LINE: Final = re.compile(
    rb"([0-9A-Fa-f]{1,15})"
    rb"(?:;[ \t]*+[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
    rb"(?:=(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]++|\"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*\"))?)*\r\n"
)
_TRAILER_LINE: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++:[\t\x20-\x7e\x80-\xff]*+\r\n")


class BodyDecoder(Protocol):
    done: bool

    def decode(self, data: bytes) -> tuple[bytes, bytes]:
        """Content and left-over. Raises `MessageRefused` for bad syntax."""


class LengthDecoder:
    __slots__ = ("done", "remaining")

    def __init__(self, length: int) -> None:
        self.remaining = length
        self.done = length == 0

    def decode(self, data: bytes) -> tuple[bytes, bytes]:
        size = len(data)
        if size < self.remaining:
            self.remaining -= size
            return data, b""
        content, rest = (
            (data, b"") if size == self.remaining else (data[: self.remaining], data[self.remaining :])
        )
        self.remaining = 0
        self.done = True
        return content, rest


class CloseDecoder:
    """A body that ends with its connection; the connection's owner sees that end."""

    __slots__ = ("done",)

    def __init__(self) -> None:
        self.done = False

    def decode(self, data: bytes) -> tuple[bytes, bytes]:
        return data, b""


class _Expecting(Enum):
    SIZE = "size"
    DATA = "data"
    DATA_END = "data end"
    TRAILER = "trailer"


class ChunkedDecoder:
    """Chunk extensions and trailers are checked and dropped."""

    __slots__ = ("_expecting", "_held", "_limits", "_remaining", "_trailer_bytes", "done")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._expecting = _Expecting.SIZE
        self._remaining = 0
        self._held = b""
        self._trailer_bytes = 0
        self.done = False

    def decode(self, data: bytes) -> tuple[bytes, bytes]:
        if self._held:
            data = self._held + data
            self._held = b""
        pieces: list[bytes] = []
        position = 0
        while position < len(data) and not self.done:
            if self._expecting is _Expecting.DATA:
                piece = data[position : position + self._remaining]
                pieces.append(piece)
                position += len(piece)
                self._remaining -= len(piece)
                if not self._remaining:
                    self._expecting = _Expecting.DATA_END
                continue
            end = data.find(b"\n", position) + 1
            if not end:
                self._hold(data[position:])
                position = len(data)
                break
            self._line(data[position:end])
            position = end
        return b"".join(pieces), data[position:]

    def _hold(self, unfinished: bytes) -> None:
        if self._expecting is _Expecting.DATA_END and unfinished != b"\r":
            raise MessageRefused("A chunk is longer than its size says.")
        if len(unfinished) > self._limits.max_chunk_line:
            raise MessageRefused("A line of the chunked body is too long.")
        self._held = unfinished

    def _line(self, line: bytes) -> None:
        match self._expecting:
            case _Expecting.SIZE:
                self._size(line)
            case _Expecting.DATA_END:
                if line != b"\r\n":
                    raise MessageRefused("A chunk is longer than its size says.")
                self._expecting = _Expecting.SIZE
            case _:
                self._trailer(line)

    def _size(self, line: bytes) -> None:
        match = _CHUNK_LINE.fullmatch(line)
        if match is None or len(line) > self._limits.max_chunk_line:
            raise MessageRefused("A chunk size is malformed.")
        self._remaining = int(match[1], 16)
        self._expecting = _Expecting.DATA if self._remaining else _Expecting.TRAILER

    def _trailer(self, line: bytes) -> None:
        if line == b"\r\n":
            self.done = True
            return
        self._trailer_bytes += len(line)
        if self._trailer_bytes > self._limits.max_trailers or not _TRAILER_LINE.fullmatch(line):
            raise MessageRefused("The trailer section is malformed or too large.")


NOTHING: Final = LengthDecoder(0)
"""Done from the beginning, and so without state of its own."""


def body_decoder(framing: BodyFraming, limits: Limits) -> BodyDecoder:
    if framing is NO_BODY:
        return NOTHING
    match framing.delimiter:
        case Delimiter.LENGTH:
            return LengthDecoder(framing.length)
        case Delimiter.CHUNKED:
            return ChunkedDecoder(limits)
        case Delimiter.CLOSE:
            return CloseDecoder()


def in_chunks(piece: bytes, *, last: bool) -> bytes:
    """A piece of content as a chunk of its own; an empty one would be taken for the end."""
    chunk = b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""
    return chunk + b"0\r\n\r\n" if last else chunk
