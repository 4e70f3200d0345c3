"""Which fields end here: hop-by-hop and framing fields, in both directions (RFC 9110 section 7.6.1).

A field that `Connection` names is removed like a hop-by-hop field, whatever its case. What the relay and its director add
comes after that, so a client cannot name it away.
"""

from dataclasses import dataclass, field

from shared.relay.director import Field
from shared.relay.faults import MessageRefused

_DROPPED = frozenset(
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

_SPECIAL = (
    _DROPPED
    | _LOOK_ALIKES
    | {
        b"connection",
        b"content-length",
        b"transfer-encoding",
        b"upgrade",
        b"host",
        b"expect",
        b"x-request-id",
        b"date",
    }
)
_NOTHING: frozenset[bytes] = frozenset()


@dataclass(slots=True)
class SortedFields:
    """`kept` goes on, in order; the others are for the relay to read. Names lower-case, connection options too."""

    kept: list[Field]
    connection: frozenset[bytes] = _NOTHING
    content_lengths: list[bytes] = field(default_factory=list)
    transfer_encodings: list[bytes] = field(default_factory=list)
    hosts: list[bytes] = field(default_factory=list)
    expectations: list[bytes] = field(default_factory=list)
    upgrades: list[bytes] = field(default_factory=list)
    has_date: bool = False


def sort_request(fields: list[Field]) -> SortedFields:
    return _sort(fields, is_request=True)


def sort_response(fields: list[Field]) -> SortedFields:
    """Without `X-Request-ID`: the relay puts its own."""
    return _sort(fields, is_request=False)


def _sort(fields: list[Field], *, is_request: bool) -> SortedFields:
    kept: list[Field] = []
    found = SortedFields(kept)
    for pair in fields:
        lowered = pair[0].lower()
        if lowered not in _SPECIAL or _is_end_to_end(lowered, is_request=is_request):
            kept.append(pair)
            if lowered == b"date":
                found.has_date = True
        else:
            _note(found, lowered, pair[1])
    nominated = found.connection - _OPTIONS
    if nominated:
        found.kept = [pair for pair in kept if pair[0].lower() not in nominated]
        found.has_date = found.has_date and b"date" not in nominated
    return found


_OPTIONS = frozenset({b"close", b"keep-alive", b"upgrade"})
_REQUEST_ONLY = frozenset({b"host", b"expect"})


def _is_end_to_end(lowered: bytes, *, is_request: bool) -> bool:
    if lowered == b"date":
        return True
    return lowered == b"x-request-id" if is_request else lowered in _REQUEST_ONLY


def _note(found: SortedFields, lowered: bytes, value: bytes) -> None:
    match lowered:
        case b"host":
            found.hosts.append(value)
        case b"connection":
            found.connection |= {option.strip(b" \t").lower() for option in value.split(b",")}
        case b"content-length":
            found.content_lengths.append(value)
        case b"transfer-encoding":
            found.transfer_encodings.append(value)
        case b"upgrade":
            found.upgrades.append(value)
        case b"expect":
            found.expectations.append(value)
        case b"content_length" | b"transfer_encoding":
            raise MessageRefused("A field looks like a framing field.")
        case _:
            pass  # hop-by-hop: of no use to anyone further on
