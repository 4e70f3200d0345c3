"""One forwarded request, from the director's decision to its outcome.

Phases:

| phase      | waits for                        | when the upstream is lost                      |
|------------|----------------------------------|------------------------------------------------|
| CONNECTING | a connection                     | tried once more elsewhere, else 502 or 504     |
| AWAITING   | the response head                | repeated once if that is safe, else 502 or 504 |
| STREAMING  | the rest of the response         | the answer breaks off                          |
| ENDED      | (a WebSocket goes on as a Tunnel) |                                               |

Rule: the books are closed before the last byte is handed to the client's socket.
"""

import asyncio
from enum import Enum
from typing import Final

import structlog

from shared.relay.body_decoder import in_chunks
from shared.relay.books import Books
from shared.relay.director import Ending, FaultKind, Field, Forward, Target
from shared.relay.engine import Engine
from shared.relay.faults import STATUS_OF_FAULT
from shared.relay.fields import UnsafeHead, announces_events
from shared.relay.forwarding_client import Client
from shared.relay.framing import NO_BODY, BodyFraming, Delimiter
from shared.relay.head_encoding import (
    answer_framing,
    connection_line,
    interim_head,
    request_head,
    response_head,
    switching_protocols,
)
from shared.relay.loss import FAULT_OF_LOSS, LossReason
from shared.relay.received import ReceivedRequest, ReceivedResponse
from shared.relay.request_body import RequestBody
from shared.relay.tunnel import Tunnel
from shared.relay.upstream_connection import UpstreamConnection

_IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})

_log = structlog.get_logger("relay")


class Phase(Enum):
    CONNECTING = "connecting"
    AWAITING = "awaiting"
    STREAMING = "streaming"
    ENDED = "ended"


CONNECTING: Final = Phase.CONNECTING
AWAITING: Final = Phase.AWAITING
STREAMING: Final = Phase.STREAMING
ENDED: Final = Phase.ENDED


class Forwarding:
    __slots__ = (
        "_answer_framing",
        "_body",
        "_books",
        "_client",
        "_connection",
        "_engine",
        "_forward",
        "_head",
        "_keep_alive",
        "_passed_on",
        "_phase",
        "_pool",
        "_repeated",
        "_request",
        "_request_id",
        "_response",
        "request_is_complete",
        "websocket",
    )

    def __init__(
        self,
        client: Client,
        engine: Engine,
        request: ReceivedRequest,
        request_id: str,
        forward: Forward,
        books: Books,
    ) -> None:
        self._client = client
        self._engine = engine
        self._request = request
        self._request_id = request_id
        self._forward = forward
        self._books = books
        self._pool = engine.pool(forward.upstream)
        self._phase = CONNECTING
        self._head = b""
        self._body: RequestBody | None = None
        self._connection: UpstreamConnection | None = None
        self._response: ReceivedResponse | None = None
        self._passed_on = self._repeated = False
        self._keep_alive = False
        self._answer_framing = NO_BODY
        self.request_is_complete = False
        self.websocket = request.websocket

    def start(self, piece: bytes, *, complete: bool) -> None:
        """Sends the request on, with what has come of its body."""
        self.request_is_complete = complete
        if self._request.framing is not NO_BODY:
            body = self._body = RequestBody(self._request, self._forward.max_body)
            self._books.request_bytes = len(piece)
            if body.is_too_large(len(piece)):
                self._refuse_large_body()
                return
            body.keep(piece, last=complete)
        try:
            self._head = request_head(self._request, self._forward)
        except UnsafeHead:
            self._refuse_unsafe()
            return
        connection = self._pool.take(proven=self._request.method not in _IDEMPOTENT)
        if connection is not None:
            self._send_on(connection)
            return
        self._client.hold_body()
        self._pool.open(self)

    def body(self, piece: bytes, *, last: bool) -> None:
        body = self._body
        if body is None:
            return
        self.request_is_complete = last
        self._books.request_bytes += len(piece)
        if body.is_too_large(self._books.request_bytes):
            self._refuse_large_body()
            return
        connection = self._connection
        if connection is None:
            body.keep(piece, last=last)
            return
        body.begun = True
        body.awaits_invitation = False
        connection.write(body.encode(piece, last=last))
        if self._phase is AWAITING:
            self._time_response(connection)

    def body_refused(self, kind: FaultKind, detail: str) -> None:
        """The client's body is broken or has stalled."""
        self._refuse(kind, detail, Ending.CLIENT_GONE)

    def client_gone(self) -> None:
        if self._phase is not ENDED:
            self._drop_connection()
            self._end(Ending.CLIENT_GONE)

    def client_writable(self, *, writable: bool) -> None:
        if self._connection is None or self._phase is not STREAMING:
            return
        if writable:
            self._connection.resume()
        else:
            self._connection.hold()

    @property
    def has_open_end(self) -> bool:
        """Whether the answer is being streamed and nobody can say how long it will be."""
        return self._response is not None and self._response.framing.delimiter is not Delimiter.LENGTH

    @property
    def is_event_stream(self) -> bool:
        """Whether events were asked for, or are being sent. Nobody listens to those with half a connection."""
        if self._response is not None:
            return announces_events(self._response.fields, b"content-type")
        return announces_events(self._request.fields, b"accept")

    def connected(self, connection: UpstreamConnection) -> None:
        if self._phase is CONNECTING:
            self._send_on(connection)
        else:
            connection.put_back()

    def connect_failed(self, target: Target, reason: LossReason) -> None:
        if self._phase is not CONNECTING:
            return
        if not self._repeated and self._pool.has_other_target(target):
            self._repeated = True
            self._pool.open(self, instead_of=target)
        else:
            self._refuse(*FAULT_OF_LOSS[reason], Ending.UPSTREAM_FAILED)

    def _send_on(self, connection: UpstreamConnection) -> None:
        self._connection = connection
        self._phase = AWAITING
        self._books.reached_upstream = True
        connection.begin(self, to_head=self._request.method == "HEAD")
        body = self._body
        connection.write(self._head if body is None else body.send_after(self._head))
        self._time_response(connection)
        if self.request_is_complete:
            return
        self._client.release_body()
        if body is not None and body.awaits_invitation:
            asyncio.get_running_loop().call_later(self._engine.limits.continue_after, self._invite)

    def _invite(self) -> None:
        """The upstream has not said whether it wants the body. Many only wait for it; a proxy may invite the client by itself."""
        if self._phase is AWAITING and self._body is not None and self._body.awaits_invitation:
            self.interim(100, [])

    def _time_response(self, connection: UpstreamConnection) -> None:
        """The upstream's time runs while it has all of the request, or is asked whether it wants the body."""
        if self.request_is_complete or (self._body is not None and self._body.awaits_invitation):
            connection.expect_within(self._forward.upstream.response_timeout)
        else:
            connection.expect_nothing()

    def upstream_writable(self, *, writable: bool) -> None:
        connection = self._connection
        if connection is None or self.request_is_complete:
            return
        if not writable:
            self._client.hold_body()
            connection.expect_within(self._forward.upstream.response_timeout)
            return
        self._client.release_body()
        if self._phase is AWAITING:
            self._time_response(connection)

    def lost(self, reason: LossReason) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and reason is LossReason.DISCONNECTED and self._may_repeat(connection):
            self._repeated = True
            self._phase = CONNECTING
            self._pool.open(self, instead_of=connection.lender.target)
        else:
            self._refuse(*FAULT_OF_LOSS[reason], Ending.UPSTREAM_FAILED)

    def _may_repeat(self, connection: UpstreamConnection) -> bool:
        """RFC 9110 section 9.2.2: only what may be done twice, has its body still to be sent, and got no byte in reply."""
        return (
            not self._repeated
            and self._phase is AWAITING
            and self._request.method in _IDEMPOTENT
            and not (self._body is not None and self._body.begun)
            and not self._passed_on
            and not connection.response_begun
        )

    def interim(self, status: int, fields: list[Field]) -> None:
        self._passed_on = True
        body, connection = self._body, self._connection
        if status == 100 and body is not None and connection is not None:
            if not body.invite():
                return
            self._time_response(connection)
        if self._request.http11:
            self._client.send(interim_head(status, fields))

    def response(self, head: ReceivedResponse, piece: bytes, *, last: bool) -> None:
        self._phase = STREAMING
        self._response = head
        self._books.status = head.status
        self._books.response_bytes = len(piece)
        framing = self._answer_framing = answer_framing(head, http11=self._request.http11)
        self._keep_alive = framing.delimiter is not Delimiter.CLOSE and self._client.may_persist()
        try:
            data = self._answer_head(head, framing)
        except UnsafeHead:
            self._phase = AWAITING
            self._refuse_unsafe()
            return
        if not last:
            self._books.goes_on(self)
        self._answer(data + self._encode_answer(piece, last=last), last=last)

    def _answer_head(self, head: ReceivedResponse, framing: BodyFraming) -> bytes:
        fields = self._books.response_fields(head.status, head.fields)
        connection = connection_line(keep_alive=self._keep_alive, http11=self._request.http11)
        return response_head(
            head, fields, framing, self._request_id, connection, self._engine.ticker.date_line
        )

    def piece(self, piece: bytes, *, last: bool) -> None:
        self._books.response_bytes += len(piece)
        self._answer(self._encode_answer(piece, last=last), last=last)

    def switched(self, head: ReceivedResponse, connection: UpstreamConnection) -> Tunnel:
        """From here on the tunnel has the connection, the client and the books."""
        self._phase = ENDED
        self._connection = None
        self._books.status = head.status
        fields = self._books.response_fields(head.status, head.fields)
        self._client.send(switching_protocols(fields, self._request_id))
        tunnel = self._client.open_tunnel(connection, self._books)
        self._books.goes_on(tunnel)
        return tunnel

    def cut(self) -> None:
        if self._phase is STREAMING:
            self._drop_connection()
            self._break_off(Ending.CUT)

    def _answer(self, data: bytes, *, last: bool) -> None:
        if not last:
            self._client.send(data)
            return
        self._connection = None  # it has already gone back to its pool, or has been closed
        self._end(Ending.COMPLETE)
        if data:
            self._client.send(data)
        self._client.answered(keep_alive=self._keep_alive)

    def _refuse_large_body(self) -> None:
        self._refuse(FaultKind.BODY_TOO_LARGE, "The request body is too large.", Ending.COMPLETE)

    def _refuse_unsafe(self) -> None:
        _log.error("unsafe_head", request_id=self._request_id)
        self._refuse(FaultKind.INTERNAL_ERROR, "The request could not be handled.", Ending.UPSTREAM_FAILED)

    def _refuse(self, kind: FaultKind, detail: str, ending: Ending) -> None:
        self._drop_connection()
        if self._phase is STREAMING:
            self._break_off(ending)
            return
        self._books.status = STATUS_OF_FAULT[kind]
        self._end(ending)
        self._client.answer_fault(kind, detail, self._books.fault_fields())

    def _break_off(self, ending: Ending) -> None:
        self._end(ending)
        self._client.break_off(abruptly=self._answer_framing.delimiter is Delimiter.CLOSE)

    def _end(self, ending: Ending) -> None:
        self._phase = ENDED
        self._books.close(ending)

    def _drop_connection(self) -> None:
        if self._connection is not None:
            self._connection.abandon()
            self._connection = None

    def _encode_answer(self, piece: bytes, *, last: bool) -> bytes:
        chunked = self._answer_framing.delimiter is Delimiter.CHUNKED
        return in_chunks(piece, last=last) if chunked else piece
