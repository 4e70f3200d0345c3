"""The seam between the relay and who uses it: what a request head is, and what may be decided about it.

Rules:
- `Director.direct` is called once for each well-formed request head, in order. It answers with a value, or with an awaitable
  of one when it has to wait (a counter, a look-up). It must not raise for anything a client can send.
- Every `Forward` that was returned is finished exactly once: the relay calls `exchange.finished` with its outcome, whatever
  happens (also when the client left before the upstream was asked). On success that is before the last byte of the response
  is handed to the client's socket.
- The relay is never told to cancel a pending decision: it waits for it even when the client is gone, so that what the
  director reserved is always given an outcome.
- Values made for every request are not frozen (that would triple what they cost), but nobody changes one that was handed over. They write
  their own `__init__`: one that `dataclass` makes at run time cannot be compiled, and costs ten times as much.
- Framing and hop-by-hop fields belong to the relay. `Forward.fields` and what `response_fields` returns are end-to-end fields
  only, in order, duplicates kept.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from typing_extensions import override

Field = tuple[bytes, bytes]
"""A field as it goes on the wire: name in the sender's spelling, value without surrounding white space."""


@dataclass(frozen=True, slots=True)
class Peer:
    """The socket address of the client, never what a header says. `port` is 0 for Unix sockets."""

    host: str
    port: int


@dataclass(slots=True, init=False)
class RequestHead:
    """A request head that passed every syntax and size check.

    `target` is the request target exactly as received, except that an absolute-form target arrives reduced to origin form with
    its authority in `host`. `host` is the validated Host value (with port), lower-case. `fields` has everything the client sent
    but hop-by-hop and framing fields (RFC 9110 section 7.6.1), those that `Connection` named, `Host` and `Expect` (the relay
    sends both on by itself). `content_length` is None for a chunked body and 0 for none.
    """

    request_id: str
    method: str
    target: str
    host: str
    http11: bool
    fields: list[Field]
    peer: Peer
    content_length: int | None
    websocket: bool

    def __init__(
        self,
        request_id: str,
        method: str,
        target: str,
        host: str,
        http11: bool,
        fields: list[Field],
        peer: Peer,
        content_length: int | None,
        websocket: bool,
    ) -> None:
        self.request_id = request_id
        self.method = method
        self.target = target
        self.host = host
        self.http11 = http11
        self.fields = fields
        self.peer = peer
        self.content_length = content_length
        self.websocket = websocket

    def first(self, lowered_name: bytes) -> bytes | None:
        """The first value of a field, by lower-case name."""
        for name, value in self.fields:
            if name.lower() == lowered_name:
                return value
        return None


@dataclass(slots=True, init=False)
class ResponseHead:
    """An upstream's final response head. `fields` without hop-by-hop and framing fields and without `X-Request-ID`."""

    status: int
    fields: list[Field]

    def __init__(self, status: int, fields: list[Field]) -> None:
        self.status = status
        self.fields = fields


class FaultKind(StrEnum):
    """Why the relay answers by itself. The value is the problem `code`."""

    BAD_REQUEST = "bad_request"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    REQUEST_TIMEOUT = "request_timeout"
    BODY_TOO_LARGE = "body_too_large"
    URI_TOO_LONG = "uri_too_long"
    HEADERS_TOO_LARGE = "headers_too_large"
    EXPECTATION_FAILED = "expectation_failed"
    INTERNAL_ERROR = "internal_error"
    VERSION_NOT_SUPPORTED = "version_not_supported"
    UPSTREAM_ERROR = "upstream_error"
    UPSTREAM_TIMEOUT = "upstream_timeout"
    OVERLOADED = "overloaded"


class Ending(StrEnum):
    """How an exchange ended."""

    COMPLETE = "complete"
    """The client gets a whole answer: the upstream's, or the relay's 413."""
    CLIENT_GONE = "client_gone"
    """The client left, sent a broken body, or stopped sending or taking bytes."""
    UPSTREAM_FAILED = "upstream_failed"
    """No response (the client gets 502 or 504), or one that broke off."""
    CUT = "cut"
    """The director broke the answer off."""


@dataclass(slots=True, init=False)
class Outcome:
    """The books of one exchange.

    `status` is what the client was (or would have been) sent: the upstream's, or the relay's own 400 (a broken body), 408 (a stalled
    one), 413, 502 or 504; 499 when the client left before there was one. `reached_upstream` is true as soon as one byte of the
    request may have left for the upstream. Byte counts are of bodies, or of what went through a WebSocket. `latency_ms` runs from
    the decision's request head to the end.
    """

    status: int
    ending: Ending
    reached_upstream: bool
    request_bytes: int
    response_bytes: int
    latency_ms: float

    def __init__(
        self,
        status: int,
        ending: Ending,
        reached_upstream: bool,
        request_bytes: int,
        response_bytes: int,
        latency_ms: float,
    ) -> None:
        self.status = status
        self.ending = ending
        self.reached_upstream = reached_upstream
        self.request_bytes = request_bytes
        self.response_bytes = response_bytes
        self.latency_ms = latency_ms


class OngoingAnswer(Protocol):
    """An answer that has begun and is not all there, or a WebSocket."""

    def cut(self) -> None:
        """Breaks it off, at once and so that the client can tell; a WebSocket is closed with 1008 within 2 s.

        Not from within a call of the relay's. Nothing happens to one that is over.
        """


class Exchange(Protocol):
    """What the director wants to see of one forwarded request. Calls are synchronous, on the loop, and must not block."""

    def response_fields(self, head: ResponseHead) -> Sequence[Field]:
        """The end-to-end fields to send to the client for this response; the relay adds `X-Request-ID`, and `Date` if there was none."""

    def fault_fields(self) -> Sequence[Field]:
        """Fields to add when the relay itself must answer (502, 504, 413, ...)."""

    def goes_on(self, answer: OngoingAnswer) -> None:
        """The answer did not come in one piece. Said once at most, after `response_fields`; it is over with `finished`."""

    def finished(self, outcome: Outcome) -> None: ...


@dataclass(frozen=True, slots=True)
class Target:
    """One address of an upstream: `host` and `port`, or the path of a Unix socket."""

    host: str
    port: int
    unix_path: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamSpec:
    """An upstream as configured. Seconds. Equal specs share one pool.

    `vouch` is asked when a connection has been made, and says whether it is to whom it should be; one that is not is not used.
    """

    name: str
    targets: tuple[Target, ...]
    connect_timeout: float = 5.0
    response_timeout: float = 30.0
    idle_timeout: float = 300.0
    vouch: Callable[[], Awaitable[bool]] | None = field(default=None, repr=False, compare=False)
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        timeouts = (self.connect_timeout, self.response_timeout, self.idle_timeout)
        object.__setattr__(self, "_hash", hash((self.name, self.targets, timeouts)))

    @override
    def __hash__(self) -> int:
        """Computed once: the pool is looked up by spec for every request."""
        return self._hash


@dataclass(frozen=True, slots=True)
class Respond:
    """Answer without an upstream. The relay adds framing, `Date` and `X-Request-ID`; a body is left out for HEAD."""

    status: int
    fields: Sequence[Field]
    body: bytes = b""
    close: bool = False


@dataclass(slots=True, init=False)
class Forward:
    """Pass the request on. `target` is the origin-form target to send; `host` the Host field to send.

    `fields` are all other end-to-end fields to send. `max_body` in bytes, None for no limit. A WebSocket handshake is carried
    through as one when the request head asked for it.
    """

    upstream: UpstreamSpec
    target: str
    host: str
    fields: Sequence[Field]
    exchange: Exchange
    max_body: int | None

    def __init__(
        self,
        upstream: UpstreamSpec,
        target: str,
        host: str,
        fields: Sequence[Field],
        exchange: Exchange,
        max_body: int | None,
    ) -> None:
        self.upstream = upstream
        self.target = target
        self.host = host
        self.fields = fields
        self.exchange = exchange
        self.max_body = max_body


Decision = Forward | Respond


class Director(Protocol):
    def direct(self, head: RequestHead) -> Decision | Awaitable[Decision]: ...

    def fault(self, kind: FaultKind, status: int, detail: str, request_id: str) -> Respond:
        """The answer for something that the relay refuses or cannot do. `detail` never quotes the request."""
