"""Which fields end here: hop-by-hop and framing fields, in both directions (RFC 9110 section 7.6.1).

A field that `Connection` names is removed like a hop-by-hop field, whatever its case. What the relay and its director add
comes after that, so a client cannot name it away.
"""

from collections.abc import Sequence

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

    `connection` are the options of the `Connection` field, lower-case.
    """

    __slots__ = ("connection", "ended", "has_date", "kept")

    def __init__(self, fields: list[Field], ends_here: frozenset[bytes]) -> None:
        kept: list[Field] = []
        ended: dict[bytes, list[bytes]] = {}
        self.has_date = False
        for pair in fields:
            name = pair[0].lower()
            if name not in ends_here:
                kept.append(pair)
                if name == b"date":
                    self.has_date = True
            elif name in ended:
                ended[name].append(pair[1])
            else:
                ended[name] = [pair[1]]
        self.kept = kept
        self.ended = ended
        self.connection = _NO_OPTIONS
        if not ended:
            return
        if not _LOOK_ALIKES.isdisjoint(ended):
            raise MessageRefused("A field looks like a framing field.")
        if b"connection" in ended:
            self._apply_connection(ended[b"connection"])

    def _apply_connection(self, values: list[bytes]) -> None:
        self.connection = frozenset(
            option.strip(b" \t").lower() for value in values for option in value.split(b",")
        )
        nominated = self.connection - _OPTIONS
        if nominated:
            self.kept = [pair for pair in self.kept if pair[0].lower() not in nominated]
            self.has_date = self.has_date and b"date" not in nominated

    def all(self, lowered_name: bytes) -> list[bytes] | None:
        """The values of a field that ends here, or None."""
        return self.ended.get(lowered_name)


def sort_request(fields: list[Field]) -> SortedFields:
    return SortedFields(fields, _REQUEST_ENDS_HERE)


def sort_response(fields: list[Field]) -> SortedFields:
    """Without `X-Request-ID`: the relay puts its own."""
    return SortedFields(fields, _RESPONSE_ENDS_HERE)


def announces_events(fields: Sequence[Field], wanted: bytes) -> bool:
    """Whether the field `wanted` (`accept`, `content-type`) speaks of server-sent events."""
    return any(name.lower() == wanted and b"text/event-stream" in value.lower() for name, value in fields)
