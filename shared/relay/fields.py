"""Field lines, and which of them end here: hop-by-hop and framing fields, in both directions (RFC 9110 section 7.6.1).

A field that `Connection` names is removed like a hop-by-hop field, whatever its case. What the relay and its director add
comes after that, so a client cannot name it away.

Facts:
- RFC 9112 section 5.1: no white space between field name and colon. Section 5.2: line folding is obsolete, and is refused.
- RFC 9110 section 5.5: control characters in a value are dangerous and must be refused or replaced.
- The same lines come again and again (`Host`, `Accept`, `Server`, `Date` within a second), so what a line means is remembered
  by its bytes, up to a bound. Lines with credentials in them are remembered by the connection that they came on, and go with it.
- What goes out must be one line a field: a value with a line end in it would be another field, or the end of the head.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, Generic, TypeVar, cast

from shared.relay.director import Field
from shared.relay.faults import MessageRefused

_FRAMING: Final = frozenset({b"connection", b"content-length", b"transfer-encoding", b"upgrade"})
_HOP_BY_HOP: Final = frozenset(
    {
        b"keep-alive",
        b"proxy-connection",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"te",
        b"trailer",
        b"http2-settings",
    }
)
_LOOK_ALIKES: Final = frozenset({b"content_length", b"transfer_encoding"})
"""Servers that turn `-` into `_` (CGI, WSGI) cannot tell these from framing fields."""

_ENDS_HERE: Final = _FRAMING | _HOP_BY_HOP
_REQUEST_ENDS_HERE: Final = _ENDS_HERE | {b"host", b"expect"}
_RESPONSE_ENDS_HERE: Final = _ENDS_HERE | {b"x-request-id"}
_OPTIONS: Final = frozenset({b"close", b"keep-alive", b"upgrade"})
_NO_OPTIONS: Final[frozenset[bytes]] = frozenset()

_NAME: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_ACCEPTABLE: Final = bytes([0x09, *range(0x20, 0x7F), *range(0x80, 0x100)])
_PRIVATE: Final = frozenset({b"authorization", b"x-api-key", b"cookie", b"set-cookie"})
_LF: Final = 0x0A  # as numbers: bytes are looked for in bytes by way of an error
_CR: Final = 0x0D
_CONNECTION: Final = b"connection"
_DATE: Final = b"date"
_MOST_REMEMBERED: Final = 2048
_LONGEST_REMEMBERED: Final = 256
_MOST_OWN: Final = 2
_LONGEST_OWN: Final = 4096


Key = TypeVar("Key")
Value = TypeVar("Value")


class UnsafeHead(ValueError):
    """A director's field, target or host would break the message apart (RFC 9110 section 5.5)."""


class ReadLine:
    """A field, and what the relay does with it: nothing (empty), or its lower-case name when it ends here or is `Date`."""

    __slots__ = ("field", "special", "value")

    def __init__(self, name: bytes, value: bytes, special: bytes) -> None:
        self.field: object = (name, value)
        self.value = value
        self.special = special


class OwnLines:
    """The last lines of one connection that are remembered nowhere else. Few: a credential, and whatever is too long."""

    __slots__ = ("_lines",)

    def __init__(self) -> None:
        self._lines: dict[bytes, ReadLine] = {}

    def find(self, line: bytes) -> ReadLine | None:
        return self._lines.get(line)

    def keep(self, line: bytes, read: ReadLine) -> None:
        if len(line) > _LONGEST_OWN:
            return
        if len(self._lines) >= _MOST_OWN:
            self._lines.clear()
        self._lines[line] = read


class SortedFields:
    """`kept` goes on, in order. `ended` has the values of what ends here, by lower-case name.

    `connection` are the options of the `Connection` field, lower-case.
    """

    __slots__ = ("connection", "ended", "has_date", "kept")

    def __init__(self) -> None:
        self.kept: list[Field] = []
        self.ended: dict[bytes, list[bytes]] = {}
        self.connection = _NO_OPTIONS
        self.has_date = False

    def end(self, lowered: bytes, value: bytes) -> None:
        if lowered in self.ended:
            self.ended[lowered].append(value)
        else:
            self.ended[lowered] = [value]

    def drop_nominated(self) -> None:
        """Once all fields are in: what `Connection` names is not kept."""
        values = self.ended[_CONNECTION]
        options = _options(values[0]) if len(values) == 1 else _options(b",".join(values))
        self.connection = options.all
        if options.nominated:
            self.kept = [pair for pair in self.kept if pair[0].lower() not in options.nominated]
            self.has_date = self.has_date and _DATE not in options.nominated


class _Options:
    __slots__ = ("all", "nominated")

    def __init__(self, every: frozenset[bytes]) -> None:
        self.all = every
        self.nominated = every - _OPTIONS


@lru_cache(maxsize=256)
def _options(value: bytes) -> _Options:
    return _Options(frozenset(option.strip(b" \t").lower() for option in value.split(b",")))


class FieldReader:
    """Reads the field lines of one direction."""

    __slots__ = ("_ends_here", "_names", "_read_before")

    def __init__(self, ends_here: frozenset[bytes]) -> None:
        self._ends_here = ends_here
        self._names: dict[bytes, bytes] = {}
        self._read_before: dict[bytes, ReadLine] = {}

    def read(self, lines: list[bytes], own: "OwnLines | None" = None) -> SortedFields:
        """`own` remembers what only the connection may. Raises `MessageRefused`."""
        fields = SortedFields()
        # As objects: compiled code takes a pair apart and puts it together again.
        kept = cast(list[object], fields.kept)
        read_before = self._read_before
        for line in lines:
            read = read_before.get(line)
            if read is None:
                read = self._read(line) if own is None else self._read_own(line, own)
            special = read.special
            if not special:
                kept.append(read.field)
            elif special == _DATE:
                kept.append(read.field)
                fields.has_date = True
            else:
                fields.end(special, read.value)
        if _CONNECTION in fields.ended:
            fields.drop_nominated()
        return fields

    def _read_own(self, line: bytes, own: "OwnLines") -> ReadLine:
        read = own.find(line)
        if read is None:
            read = self._read(line)
            if line not in self._read_before:
                own.keep(line, read)
        return read

    def _read(self, line: bytes) -> ReadLine:
        name, colon, value = line.partition(b":")
        if not colon or value.translate(None, _ACCEPTABLE):
            raise MessageRefused("A field line is malformed.")
        special = self._names.get(name)
        if special is None:
            special = self._learn_name(name)
        read = ReadLine(name, value.strip(b" \t"), special)
        if len(line) <= _LONGEST_REMEMBERED and name.lower() not in _PRIVATE:
            if len(self._read_before) >= _MOST_REMEMBERED:
                _drop_what_was_read()
            self._read_before[line] = read
            _ENCODED[read.field] = _encoded(name, read.value)
        return read

    def drop(self) -> None:
        self._read_before.clear()

    def _learn_name(self, name: bytes) -> bytes:
        if _NAME.fullmatch(name) is None:
            raise MessageRefused("A field name is malformed.")
        lowered = name.lower()
        if lowered in _LOOK_ALIKES:
            raise MessageRefused("A field looks like a framing field.")
        special = lowered if lowered in self._ends_here or lowered == _DATE else b""
        if len(self._names) >= _MOST_REMEMBERED:
            self._names.clear()
        self._names[name] = special
        return special


class _Standing:
    """`times`: how often it is remembered."""

    __slots__ = ("line", "times")

    def __init__(self, line: bytes) -> None:
        self.line = line
        self.times = 0


_STANDING: Final[dict[object, _Standing]] = {}
"""Fields that a director says again and again."""

_ENCODED: Final[dict[object, bytes]] = {}
"""Those, and what was read: as they go out."""


def _encoded(name: bytes, value: bytes) -> bytes:
    return name + b": " + value + b"\r\n"


def _checked(name: bytes, value: bytes) -> bytes:
    if _LF in value or _CR in value or _LF in name or _CR in name:
        raise UnsafeHead
    return _encoded(name, value)


def encoded(fields: Sequence[Field]) -> bytes:
    """The lines of a head. Raises `UnsafeHead`."""
    lines: list[bytes] = []
    for field in cast(Sequence[object], fields):  # as objects: see `FieldReader.read`
        line = _ENCODED.get(field)
        if line is None:
            pair = cast(Field, field)
            line = _checked(pair[0], pair[1])
        lines.append(line)
    return b"".join(lines)


def remember(fields: Sequence[Field]) -> None:
    """Of a director: it will send these again. As often as a field is remembered it is to be forgotten: see `Remembered`.

    Raises `UnsafeHead`.
    """
    lines = [_checked(name, value) for name, value in fields]  # all or nothing
    for field, line in zip(fields, lines, strict=True):
        standing = _STANDING.get(field)
        if standing is None:
            standing = _STANDING[field] = _Standing(line)
            _ENCODED[field] = line
        standing.times += 1


def forget(fields: Sequence[Field]) -> None:
    for field in fields:
        standing = _STANDING[field]
        standing.times -= 1
        if standing.times == 0:
            del _STANDING[field]
            _ENCODED.pop(field, None)


class Remembered(Generic[Key, Value]):
    """What a director would make again for most requests, with the fields of it: bounded, and whatever goes is forgotten, the oldest first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: dict[Key, Value] = {}
        self._fields: dict[Key, Sequence[Field]] = {}

    def find(self, key: Key) -> Value | None:
        return self._values.get(key)

    def keep(self, key: Key, value: Value, fields: Sequence[Field]) -> None:
        """In place of what is there for `key`. Raises `UnsafeHead`."""
        remember(fields)
        if key in self._values:
            self._drop(key)
        elif len(self._values) >= self._most:
            self._drop(next(iter(self._values)))
        self._values[key] = value
        self._fields[key] = fields

    def _drop(self, key: Key) -> None:
        del self._values[key]
        forget(self._fields.pop(key))


def standing_lines() -> int:
    """How many a director has remembered and not forgotten."""
    return len(_STANDING)


def _drop_what_was_read() -> None:
    OF_REQUESTS.drop()
    OF_RESPONSES.drop()
    _ENCODED.clear()
    for field, standing in _STANDING.items():
        _ENCODED[field] = standing.line


OF_REQUESTS: Final = FieldReader(_REQUEST_ENDS_HERE)
OF_RESPONSES: Final = FieldReader(_RESPONSE_ENDS_HERE)
"""Without `X-Request-ID`: the relay puts its own."""


def announces_events(fields: Sequence[Field], wanted: bytes) -> bool:
    """Whether the field `wanted` (`accept`, `content-type`) speaks of server-sent events."""
    return any(name.lower() == wanted and b"text/event-stream" in value.lower() for name, value in fields)
