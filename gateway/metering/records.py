"""What the journal holds: the intent of a billing request before it is forwarded, its result before the answer ends.

A frame is `<length><crc32><payload>`, two little-endian 32-bit numbers and one JSON array whose first member is the kind.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from json.encoder import encode_basestring
from math import isfinite
from typing import Any, Final
from zlib import crc32

from pydantic_core import from_json, to_json

from gateway.accounts.principal import OrgId, PlanId, UserId
from gateway.metering.usage import UsageEvent

_HEADER: Final = struct.Struct("<II")
_LONGEST: Final = 1 << 20
_LARGE: Final = 4e9
_quoted: Final = encode_basestring


@dataclass(slots=True, init=False)
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

    def __init__(
        self,
        id: str,  # noqa: A002 - the members of a value
        user_id: UserId,
        org_id: OrgId,
        key_id: str,
        plan_id: PlanId,
        route: str,
        upstream: str,
        method: str,
        path: str,
        period_name: str,
        counted: bool,
        created_at: float,
    ) -> None:
        self.id = id
        self.user_id = user_id
        self.org_id = org_id
        self.key_id = key_id
        self.plan_id = plan_id
        self.route = route
        self.upstream = upstream
        self.method = method
        self.path = path
        self.period_name = period_name
        self.counted = counted
        self.created_at = created_at


@dataclass(slots=True, init=False)
class Result:
    """What became of a request that reached the upstream."""

    id: str
    status: int
    event_type: str | None
    cost: float
    latency_ms: float
    request_bytes: int
    response_bytes: int

    def __init__(
        self,
        id: str,  # noqa: A002 - the members of a value
        status: int,
        event_type: str | None,
        cost: float,
        latency_ms: float,
        request_bytes: int,
        response_bytes: int,
    ) -> None:
        self.id = id
        self.status = status
        self.event_type = event_type
        self.cost = cost
        self.latency_ms = latency_ms
        self.request_bytes = request_bytes
        self.response_bytes = response_bytes


@dataclass(slots=True, init=False)
class Void:
    """Nothing reached the upstream: there is no event."""

    id: str

    def __init__(self, id: str) -> None:  # noqa: A002 - the members of a value
        self.id = id


@dataclass(slots=True, init=False)
class Doubt:
    """A relay process saw the request reach the upstream, and no answer: the control process asks, and ends it in its own journal.

    `seen` is a Result of cost 0.
    """

    id: str
    seen: Result

    def __init__(self, seen: Result) -> None:
        self.id = seen.id
        self.seen = seen


Record = Intent | Result | Void | Doubt
Ended = Result | Void
Left = Ended | Doubt
"""How a request leaves a journal: with its end, or handed on."""


class Torn(Exception):
    """A frame that is cut off or damaged."""


def encode(record: Record) -> bytes:
    payload = _json(record).encode()
    return _HEADER.pack(len(payload), crc32(payload)) + payload


def _json(record: Record) -> str:
    """Put together by hand: a serializer has to look at everything it is given."""
    if isinstance(record, Intent):
        who = _all_quoted(record.user_id, record.org_id, record.key_id, record.plan_id)
        where = _all_quoted(record.route, record.upstream, record.method)
        counted = "true" if record.counted else "false"
        return (
            f'["intent",{_quoted(record.id)},{who},{where},{_quoted(record.path)},{_all_quoted(record.period_name)},'
            f"{counted},{_number(record.created_at)}]"
        )
    if isinstance(record, Result):
        return f'["result",{_members(record)}]'
    if isinstance(record, Doubt):
        return f'["doubt",{_members(record.seen)}]'
    return f'["void",{_quoted(record.id)}]'


def _members(result: Result) -> str:
    event_type = "null" if result.event_type is None else _quoted(result.event_type)
    return (
        f"{_quoted(result.id)},{result.status},{event_type},{_number(result.cost)},{_number(result.latency_ms)},"
        f"{result.request_bytes},{result.response_bytes}"
    )


@lru_cache(maxsize=2048)
def _all_quoted(*texts: str) -> str:
    """What many intents have in common: who asked, and for what."""
    return ",".join([_quoted(text) for text in texts])


def _number(value: float) -> str:
    """What is a whole number of millionths is written as that: the shortest text that tells a number from all others takes a search."""
    if 0.0 <= value < _LARGE:
        millionths = int(value * 1e6 + 0.5)
        if millionths / 1_000_000 == value:
            text = str(millionths)
            return f"{text[:-6]}.{text[-6:]}" if len(text) > 6 else "0." + "000000"[len(text) :] + text
    return repr(value) if isfinite(value) else to_json(value).decode()


def _record(kind: str, members: list[Any]) -> Record:
    match kind:
        case "intent":
            return Intent(*members)
        case "result":
            return Result(*members)
        case "doubt":
            return Doubt(Result(*members))
        case "void":
            return Void(*members)
        case _:
            raise ValueError(f"a record is of the kind {kind!r}")


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
        if not 0 < length <= _LONGEST or len(payload) < length or crc32(payload) != checksum:
            raise Torn
        kind, *members = from_json(payload)
        offset = start + length
        yield _record(kind, members), offset


def row_of(intent: Intent, result: Result) -> tuple[object, ...]:
    """The members of a `UsageEvent` in their order, and the month in which the quota was taken. No event type is empty text."""
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
        result.event_type or "",
        result.cost,
        result.latency_ms,
        result.request_bytes,
        result.response_bytes,
        intent.created_at,
        intent.period_name,
    )


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
