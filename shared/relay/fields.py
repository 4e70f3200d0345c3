"""Which fields end here: hop-by-hop and framing fields, in both directions (RFC 9110 section 7.6.1).

A field that `Connection` names is removed like a hop-by-hop field, whatever its case. What the relay and its director add
comes after that, so a client cannot name it away.
"""

from collections.abc import Sequence
from functools import lru_cache

from shared.relay.director import Field
from shared.relay.faults import MessageRefused

_FRAMING = frozenset({b"connection", b"content-length", b"transfer-encoding", b"upgrade"})
_HOP_BY_HOP = frozenset(
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
_LOOK_ALIKES = frozenset({b"content_length", b"transfer_encoding"})
"""Servers that turn `-` into `_` (CGI, WSGI) cannot tell these from framing fields."""

_ENDS_HERE = _FRAMING | _HOP_BY_HOP | _LOOK_ALIKES
_REQUEST_ENDS_HERE = _ENDS_HERE | {b"host", b"expect"}
_RESPONSE_ENDS_HERE = _ENDS_HERE | {b"x-request-id"}
_OPTIONS = frozenset({b"close", b"keep-alive", b"upgrade"})
_NO_OPTIONS: frozenset[bytes] = frozenset()


class SortedFields:
    """`kept` goes on, in order. `ended` has the values of what ends here, by lower-case name.

    `connection` are the options of the `Connection` field, lower-case. Filled by the parser, through `on_header`.
    """

    __slots__ = ("_ends_here", "connection", "ended", "has_date", "kept")

    def __init__(self, ends_here: frozenset[bytes]) -> None:
        self._ends_here = ends_here
        self.kept: list[Field] = []
        self.ended: dict[bytes, list[bytes]] = {}
        self.connection = _NO_OPTIONS
        self.has_date = False

    def on_header(self, name: bytes, value: bytes) -> None:
        value = value.rstrip(b" \t")
        lowered = name.lower()
        if lowered not in self._ends_here:
            self.kept.append((name, value))
            if lowered == b"date":
                self.has_date = True
        elif lowered in self.ended:
            self.ended[lowered].append(value)
        else:
            self.ended[lowered] = [value]

    def settle(self) -> None:
        """Once all fields are in: drops what `Connection` names. Raises `MessageRefused`."""
        if not _LOOK_ALIKES.isdisjoint(self.ended):
            raise MessageRefused("A field looks like a framing field.")
        values = self.ended.get(b"connection")
        if values is None:
            return
        self.connection = frozenset().union(*map(_options, values))
        nominated = self.connection - _OPTIONS
        if nominated:
            self.kept = [pair for pair in self.kept if pair[0].lower() not in nominated]
            self.has_date = self.has_date and b"date" not in nominated


@lru_cache(maxsize=256)
def _options(value: bytes) -> frozenset[bytes]:
    return frozenset(option.strip(b" \t").lower() for option in value.split(b","))


def of_request() -> SortedFields:
    return SortedFields(_REQUEST_ENDS_HERE)


def of_response() -> SortedFields:
    """Without `X-Request-ID`: the relay puts its own."""
    return SortedFields(_RESPONSE_ENDS_HERE)


def announces_events(fields: Sequence[Field], wanted: bytes) -> bool:
    """Whether the field `wanted` (`accept`, `content-type`) speaks of server-sent events."""
    return any(name.lower() == wanted and b"text/event-stream" in value.lower() for name, value in fields)
