r"""Log records out of the bytes that Docker's log endpoint sends with `timestamps=1`. Pure.

Facts (Docker Engine API, `ContainerAttach`, and what the engine does):
- Without a TTY each record comes as a frame: stream (1 stdout, 2 stderr), three zero bytes, length (32 bit, big-endian), and then the
  record. With a TTY records follow each other without frames, and every line ends with CR LF.
- A record begins with its time in RFC 3339 with exactly nine digits, in UTC, and a space: 31 bytes.
- A line longer than 16 KiB is several records with one and the same time; only the last one ends with LF. They are passed on as they come.
- A CR inside a line is data (progress bars).
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

_FRAME_HEAD = 8
_STAMP = 31
_CHUNK = 16 * 1024
_STAMP_FORM = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z ")
_STREAMS = {0: "stdout", 1: "stdout", 2: "stderr"}


class LogUnreadable(Exception):
    """The engine's log stream is not what its API says."""


@dataclass(frozen=True, slots=True)
class LogRecord:
    """`ns` is `timestamp` in nanoseconds since 1970. `message` is without its line end; invalid UTF-8 is replaced.

    `whole` is false for a piece of a long line that goes on in the next record.
    """

    stream: str
    ns: int
    timestamp: str
    message: str
    whole: bool


class LogDecoder(Protocol):
    def feed(self, octets: bytes) -> list[LogRecord]:
        """The records that are complete now. Raises LogUnreadable."""

    def close(self) -> list[LogRecord]:
        """What is left when the log has ended."""


class FramedLog:
    """The log of a container without a TTY."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._clock = _Stamps()

    def feed(self, octets: bytes) -> list[LogRecord]:
        buffer = self._buffer
        buffer += octets
        records: list[LogRecord] = []
        start = 0
        while len(buffer) - start >= _FRAME_HEAD:
            end = start + _FRAME_HEAD + int.from_bytes(buffer[start + 4 : start + _FRAME_HEAD], "big")
            if len(buffer) < end:
                break
            stream = _STREAMS.get(buffer[start])
            if stream is None:
                raise LogUnreadable(f"a frame of kind {buffer[start]}")
            octets = bytes(buffer[start + _FRAME_HEAD : end])
            line = octets.removesuffix(b"\n")
            records.append(self._clock.record(stream, line, whole=len(line) < len(octets)))
            start = end
        del buffer[:start]
        return records

    def close(self) -> list[LogRecord]:
        return []


class TerminalLog:
    """The log of a container with a TTY."""

    def __init__(self) -> None:
        self._buffer = b""
        self._clock = _Stamps()

    def feed(self, octets: bytes) -> list[LogRecord]:
        self._buffer += octets
        records: list[LogRecord] = []
        start = 0
        while (cut := self._cut(start)) is not None:
            end, after = cut
            records.append(self._clock.record("stdout", self._buffer[start:end], whole=after > end))
            start = after
        self._buffer = self._buffer[start:]
        return records

    def close(self) -> list[LogRecord]:
        left, self._buffer = self._buffer, b""
        return [self._clock.record("stdout", left, whole=True)] if left else []

    def _cut(self, start: int) -> tuple[int, int] | None:
        """Where the record at `start` ends and the next begins; None when that cannot be told yet."""
        full = start + _STAMP + _CHUNK
        line_end = self._buffer.find(b"\n", start + _STAMP, full + 1)
        if line_end >= 0:
            has_cr = self._buffer.endswith(b"\r", start + _STAMP, line_end)
            return line_end - 1 if has_cr else line_end, line_end + 1
        if _STAMP_FORM.match(self._buffer, full):
            return full, full
        return None


class _Stamps:
    """Reads times; one second's worth of records share the calendar arithmetic."""

    def __init__(self) -> None:
        self._second = b""
        self._unix = 0

    def record(self, stream: str, octets: bytes, *, whole: bool) -> LogRecord:
        if not _STAMP_FORM.match(octets):
            raise LogUnreadable("a record without a time")
        if octets[:19] != self._second:
            moment = datetime.fromisoformat(octets[:19].decode("ascii")).replace(tzinfo=UTC)
            self._second, self._unix = octets[:19], int(moment.timestamp())
        return LogRecord(
            stream,
            self._unix * 1_000_000_000 + int(octets[20:29]),
            octets[:30].decode("ascii"),
            octets[_STAMP:].decode("utf-8", "replace"),
            whole,
        )
