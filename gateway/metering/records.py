"""What the journal holds: the intent of a billing request before it is forwarded, its result before the answer ends.

A frame is `<length><crc32><payload>`, two little-endian 32-bit numbers and one JSON array whose first member is the kind.
"""

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from operator import attrgetter

from pydantic_core import from_json, to_json

from gateway.accounts.principal import OrgId, PlanId, UserId
from gateway.metering.usage import UsageEvent

_HEADER = struct.Struct("<II")
_LONGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class Intent:
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


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a request that reached the upstream."""

    id: str
    status: int
    event_type: str | None
    cost: float
    latency_ms: float
    request_bytes: int
    response_bytes: int


@dataclass(frozen=True, slots=True)
class Void:
    """Nothing reached the upstream: there is no event."""

    id: str


@dataclass(frozen=True, slots=True)
class Doubt:
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

_KIND_OF: dict[type[Record], str] = {Intent: "intent", Result: "result", Void: "void", Doubt: "doubt"}
_TYPE_OF: dict[str, type[Record]] = {kind: record for record, kind in _KIND_OF.items()}


def _members_of(record: type[Record] | type[UsageEvent]) -> Callable[[object], tuple[object, ...]]:
    """What `dataclasses.astuple` gives, without its deep copies, which cost more than the rest of the append."""
    names = [field.name for field in fields(record)]
    if len(names) == 1:
        return lambda value: (getattr(value, names[0]),)
    return attrgetter(*names)


_MEMBERS = {record: _members_of(record) for record in _KIND_OF}
members_of_event = _members_of(UsageEvent)


class Torn(Exception):
    """A frame that is cut off or damaged."""


def encode(record: Record) -> bytes:
    kind = type(record)
    payload = to_json((_KIND_OF[kind], *_MEMBERS[kind](record)))
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


def event_of(intent: Intent, result: Result) -> UsageEvent:
    return UsageEvent(
        id=intent.id,
        user_id=intent.user_id,
        org_id=intent.org_id,
        key_id=intent.key_id,
        plan_id=intent.plan_id,
        route=intent.route,
        method=intent.method,
        path=intent.path,
        status=result.status,
        event_type=result.event_type,
        cost=result.cost,
        latency_ms=result.latency_ms,
        request_bytes=result.request_bytes,
        response_bytes=result.response_bytes,
        created_at=intent.created_at,
    )


def doubt_of(seen: Result) -> Doubt:
    return Doubt(*_MEMBERS[Result](seen))  # type: ignore[arg-type]  # the same members, by the class's own order


def seen_in(doubt: Doubt) -> Result:
    return Result(*_MEMBERS[Doubt](doubt))  # type: ignore[arg-type]  # as above


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
