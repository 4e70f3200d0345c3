"""What the journal holds: the intent of a billing request before it is forwarded, its result before the answer ends.

A frame is `<length><crc32><payload>`, two little-endian 32-bit numbers and one JSON array whose first member is the kind.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import Final, NamedTuple

from pydantic_core import from_json, to_json

from gateway.accounts.principal import OrgId, PlanId, UserId
from gateway.metering.usage import UsageEvent

_HEADER: Final = struct.Struct("<II")
_LONGEST: Final = 1 << 20


class Intent(NamedTuple):
    """A billing request about to be forwarded. `counted` is false when it was admitted without its counters."""

    id: str
    user_id: UserId
    org_id: OrgId
    key_id: str
    plan_id: PlanId
    route: str
    upstream: str
    method: str
    path: str
    period_name: str
    counted: bool
    created_at: float


class Result(NamedTuple):
    """What became of a request that reached the upstream."""

    id: str
    status: int
    event_type: str | None
    cost: float
    latency_ms: float
    request_bytes: int
    response_bytes: int


class Void(NamedTuple):
    """Nothing reached the upstream: there is no event."""

    id: str


class Doubt(NamedTuple):
    """A relay process saw the request reach the upstream, and no answer: the control process asks, and ends it in its own journal.

    The members are what was seen, as in a Result of cost 0.
    """

    id: str
    status: int
    event_type: str | None
    cost: float
    latency_ms: float
    request_bytes: int
    response_bytes: int


Record = Intent | Result | Void | Doubt
Ended = Result | Void
Left = Ended | Doubt
"""How a request leaves a journal: with its end, or handed on."""

_KIND_OF: Final[dict[type[Record], str]] = {Intent: "intent", Result: "result", Void: "void", Doubt: "doubt"}
_TYPE_OF: Final[dict[str, type[Record]]] = {kind: record for record, kind in _KIND_OF.items()}


class Torn(Exception):
    """A frame that is cut off or damaged."""


def encode(record: Record) -> bytes:
    payload = to_json((_KIND_OF[type(record)], *record))
    return _HEADER.pack(len(payload), zlib.crc32(payload)) + payload


def decode_frames(content: bytes) -> Iterator[tuple[Record, int]]:
    """Each record with the offset after it; raises Torn where the frames stop being whole."""
    offset = 0
    while offset < len(content):
        if len(content) - offset < _HEADER.size:
            raise Torn
        length, checksum = _HEADER.unpack_from(content, offset)
        start = offset + _HEADER.size
        payload = content[start : start + length]
        # A file system may leave zeros where a record was to be; they have the checksum of nothing.
        if not 0 < length <= _LONGEST or len(payload) < length or zlib.crc32(payload) != checksum:
            raise Torn
        kind, *members = from_json(payload)
        offset = start + length
        yield _TYPE_OF[kind](*members), offset


def row_of(intent: Intent, result: Result) -> tuple[object, ...]:
    """The members of a `UsageEvent` in their order, and the month in which the quota was taken."""
    return (
        intent.id,
        intent.user_id,
        intent.org_id,
        intent.key_id,
        intent.plan_id,
        intent.route,
        intent.method,
        intent.path,
        result.status,
        result.event_type,
        result.cost,
        result.latency_ms,
        result.request_bytes,
        result.response_bytes,
        intent.created_at,
        intent.period_name,
    )


def doubt_of(seen: Result) -> Doubt:
    return Doubt(*seen)


def seen_in(doubt: Doubt) -> Result:
    return Result(*doubt)


def result_of(event: UsageEvent) -> Result:
    return Result(
        id=event.id,
        status=event.status,
        event_type=event.event_type,
        cost=event.cost,
        latency_ms=event.latency_ms,
        request_bytes=event.request_bytes,
        response_bytes=event.response_bytes,
    )
