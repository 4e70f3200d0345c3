"""What one client says and is told: its requests, one after the other, each answered before the next is begun.

Phases:

| phase     | bytes from the client                | the client ends its side  | left when                                      |
|-----------|--------------------------------------|---------------------------|------------------------------------------------|
| HEAD      | a request head                       | over                      | the head is complete (DECIDING), or refused (OVER) |
| DECIDING  | kept                                 | noted                     | the director has decided                       |
| BODY      | the request's body                   | the body is broken        | the body is complete (ANSWERING)               |
| ANSWERING | kept, for the next request           | see `_mind_half_closed`   | the answer is complete (HEAD, OVER)            |
| DISCARD   | the rest of a body that nobody wants | over                      | the body is complete (HEAD), or large (OVER)   |
| OVER      |                                      |                           |                                                |

Kept bytes are bounded: beyond `Limits.read_ahead` the client is not read until they are used.
"""

from collections.abc import Sequence
from enum import Enum
from typing import Final

from shared.relay.books import Books
from shared.relay.deciding import decide
from shared.relay.director import Decision, Ending, FaultKind, Field, Forward, RequestHead, Respond
from shared.relay.engine import Engine
from shared.relay.faults import MessageRefused
from shared.relay.forwarding import Forwarding
from shared.relay.framing import Delimiter
from shared.relay.line import Line
from shared.relay.received import ReceivedRequest
from shared.relay.request_reader import RequestReader
from shared.relay.ticker import NEVER
from shared.relay.tunnel import Tunnel
from shared.relay.upstream_connection import UpstreamConnection


class Phase(Enum):
    HEAD = "head"
    DECIDING = "deciding"
    BODY = "body"
    ANSWERING = "answering"
    DISCARD = "discard"
    OVER = "over"


HEAD: Final = Phase.HEAD
DECIDING: Final = Phase.DECIDING
BODY: Final = Phase.BODY
ANSWERING: Final = Phase.ANSWERING
DISCARD: Final = Phase.DISCARD
OVER: Final = Phase.OVER
_LEAVES_THE_CONNECTION: Final = frozenset(
    {FaultKind.UPSTREAM_ERROR, FaultKind.UPSTREAM_TIMEOUT, FaultKind.BODY_TOO_LARGE}
)


class Conversation:
    _request: ReceivedRequest

    __slots__ = (
        "_body_timeout",
        "_engine",
        "_forwarding",
        "_head_begun",
        "_in_exchange",
        "_line",
        "_phase",
        "_reader",
        "_reading_heads",
        "_request",
        "_request_id",
        "_socket",
        "_started",
    )

    def __init__(self, line: Line, engine: Engine) -> None:
        self._line = line
        self._socket = line.socket
        self._engine = engine
        self._phase = HEAD
        self._reader = RequestReader(engine.limits)
        self._forwarding: Forwarding | None = None
        self._request_id = ""
        self._started = 0.0
        self._body_timeout = 0.0
        self._in_exchange = self._head_begun = self._reading_heads = False

    @property
    def is_idle(self) -> bool:
        return self._phase is HEAD and not self._reader.kept

    def data(self, data: bytes) -> None:
        phase = self._phase
        if phase is BODY:
            self._read_body(data)
        elif phase is DISCARD:
            self._discard(data)
        else:
            self._reader.keep(data)
            if phase is HEAD:
                self._read_heads()
            elif self._reader.is_far_ahead:
                self._socket.hold_reading()

    def client_ended(self) -> None:
        match self._phase:
            case Phase.HEAD:
                self._end_between_requests()
            case Phase.BODY if self._forwarding is not None:
                self._forwarding.body_refused(FaultKind.BAD_REQUEST, "The request body ended early.")
            case Phase.ANSWERING:
                self._mind_half_closed()
            case Phase.DISCARD:
                self._hang_up()
            case _:
                pass  # DECIDING: looked at when the decision is there

    def client_writable(self, *, writable: bool) -> None:
        if self._forwarding is not None:
            self._forwarding.client_writable(writable=writable)
        elif writable and self._phase is HEAD:
            self._read_heads()

    def client_gone(self) -> None:
        phase, self._phase = self._phase, OVER
        forwarding, self._forwarding = self._forwarding, None
        if forwarding is not None:
            forwarding.client_gone()
        if phase is not DECIDING:  # else the exchange is over when the decision has been taken
            self.exchange_over()

    def expired(self) -> None:
        """The client's next move is overdue."""
        match self._phase:
            case Phase.HEAD if self._reader.kept:
                self.refuse(FaultKind.REQUEST_TIMEOUT, "The request head did not arrive in time.")
            case Phase.BODY if self._forwarding is not None:
                self._forwarding.body_refused(FaultKind.REQUEST_TIMEOUT, "The request body stalled.")
            case Phase.HEAD | Phase.DISCARD:
                self._hang_up()
            case _:
                self._line.abort()

    def refuse(self, kind: FaultKind, detail: str) -> None:
        """What came is no request that could be decided about."""
        answers, request_id = self._engine.own_answers, self._engine.new_request_id()
        self._socket.send(answers.encode_last(answers.fault(kind, detail, request_id), request_id))
        self._hang_up()

    def _hang_up(self) -> None:
        self._phase = OVER
        self._reader.kept = b""
        self._line.linger()

    def _end_between_requests(self) -> None:
        if not self._socket.writable:
            return  # there may be whole requests in what is kept
        if self._reader.kept:
            self.refuse(FaultKind.BAD_REQUEST, "The request ended early.")
        else:
            self._hang_up()

    def _mind_half_closed(self) -> None:
        """A client that ended its side may have left for good; only what it is sent can tell.

        An answer that ends by itself is served. An event stream ends at once, any other open-ended answer when it falls silent.
        """
        forwarding = self._forwarding
        if forwarding is None:
            return
        if forwarding.is_event_stream:
            self._line.abort()
        elif forwarding.has_open_end:
            self._line.read_within(self._engine.limits.half_closed_silence)

    def _read_heads(self) -> None:
        """Serves what is kept, until a request has to be waited for. Not by recursion, however many are answered at once."""
        if self._reading_heads:
            return
        self._reading_heads = True
        while self._reader.kept and self._phase is HEAD and self._socket.writable and self._read_head():
            pass
        self._reading_heads = False
        if self._line.ended and self._phase is HEAD:
            self._end_between_requests()

    def _read_head(self) -> bool:
        """Whether there was one, and it was begun."""
        try:
            request = self._reader.head()
        except MessageRefused as refused:
            self.refuse(refused.kind, refused.detail)
            return False
        if request is not None:
            self._begin(request)
            return True
        if not self._head_begun:
            self._head_begun = True
            self._line.read_within(self._engine.limits.head_timeout)
        return False

    def _begin(self, request: ReceivedRequest) -> None:
        engine = self._engine
        engine.in_flight += 1
        self._request = request
        self._phase = DECIDING
        self._in_exchange = True
        self._head_begun = False
        self._line.read_deadline = NEVER
        self._request_id = engine.new_request_id()
        self._started = engine.monotonic()
        framing = request.framing
        head = RequestHead(
            self._request_id,
            request.method,
            request.target,
            request.host,
            request.http11,
            request.fields,
            self._socket.peer,
            None if framing.delimiter is Delimiter.CHUNKED else framing.length,
            request.websocket,
        )
        decide(engine, head, self._decided)

    def _decided(self, decision: Decision) -> None:
        if self._phase is not DECIDING:  # the client left meanwhile
            self.exchange_over()
            if isinstance(decision, Forward):
                Books(decision.exchange, self._started, self._engine.monotonic).close(Ending.CLIENT_GONE)
        elif isinstance(decision, Respond):
            self._respond(decision)
        else:
            self._forward(decision)

    def _forward(self, decision: Forward) -> None:
        books = Books(decision.exchange, self._started, self._engine.monotonic)
        forwarding = Forwarding(self, self._engine, self._request, self._request_id, decision, books)
        self._forwarding = forwarding
        self._body_timeout = decision.upstream.idle_timeout
        self._phase = BODY
        try:
            piece = self._reader.body()
        except MessageRefused as refused:
            forwarding.body_refused(refused.kind, refused.detail)
            return
        complete = self._reader.body_is_complete
        if complete:
            self._phase = ANSWERING
        elif self._line.ended:
            forwarding.body_refused(FaultKind.BAD_REQUEST, "The request body ended early.")
            return
        else:
            self._line.read_within(self._body_timeout)
        forwarding.start(piece, complete=complete)
        if self._line.ended:
            self._mind_half_closed()

    def _read_body(self, data: bytes) -> None:
        forwarding = self._forwarding
        if forwarding is None:
            return
        try:
            piece = self._reader.body(data)
        except MessageRefused as refused:
            forwarding.body_refused(refused.kind, refused.detail)
            return
        done = self._reader.body_is_complete
        if done:
            self._phase = ANSWERING
            self._line.read_deadline = NEVER
        else:
            self._line.read_within(self._body_timeout)
        if piece or done:
            forwarding.body(piece, last=done)

    def _respond(self, respond: Respond) -> None:
        close = respond.close
        try:
            self._reader.body()
        except MessageRefused:
            close = True
        self._answer(respond, keep_alive=not close and self.may_persist())

    def answer_fault(self, kind: FaultKind, detail: str, fields: Sequence[Field]) -> None:
        respond = self._engine.own_answers.fault(kind, detail, self._request_id, fields)
        may_stay = not respond.close and kind in _LEAVES_THE_CONNECTION
        self._answer(respond, keep_alive=may_stay and self.may_persist())

    def _answer(self, respond: Respond, *, keep_alive: bool) -> None:
        answers = self._engine.own_answers
        self._socket.send(answers.encode(respond, self._request_id, self._request, keep_alive=keep_alive))
        self.answered(keep_alive=keep_alive)

    def send(self, data: bytes) -> None:
        self._socket.send(data)
        if self._line.ended and self._phase is ANSWERING:
            self._mind_half_closed()

    def hold_body(self) -> None:
        if self._phase is BODY:
            self._socket.hold_reading()
            self._line.read_deadline = NEVER

    def release_body(self) -> None:
        if self._phase is BODY:
            self._socket.resume_reading()
            self._line.read_within(self._body_timeout)

    def may_persist(self) -> bool:
        return self._request.keep_alive and not self._engine.draining and self._reader.may_drop_rest()

    def answered(self, *, keep_alive: bool) -> None:
        self._forwarding = None
        self.exchange_over()
        if not keep_alive or not self._reader.may_drop_rest():
            self._hang_up()
        elif self._reader.body_is_complete:
            self._next()
        else:
            self._phase = DISCARD
            self._line.read_within(self._engine.limits.head_timeout)
            self._socket.resume_reading()

    def _next(self) -> None:
        self._phase = HEAD
        self._line.read_within(self._engine.limits.keepalive_timeout)
        self._socket.resume_reading()
        if self._reader.kept or self._line.ended:
            self._read_heads()

    def _discard(self, data: bytes) -> None:
        try:
            worth_it = self._reader.drop(data)
        except MessageRefused:
            worth_it = False
        if not worth_it:
            self._hang_up()
        elif self._reader.body_is_complete:
            self._next()

    def break_off(self, *, abruptly: bool) -> None:
        self._forwarding = None
        self.exchange_over()
        if abruptly:
            self._socket.reset_at_end()
            self._line.abort()
        else:
            self._hang_up()

    def open_tunnel(self, upstream: UpstreamConnection, books: Books) -> Tunnel:
        """Hands the connection over; the exchange lasts as long as the tunnel."""
        self._phase = OVER
        self._forwarding = None
        tunnel = Tunnel(self._line, upstream, books, self._body_timeout)
        early, self._reader.kept = self._reader.kept, b""
        self._line.enter_tunnel(tunnel, early)
        return tunnel

    def exchange_over(self) -> None:
        if self._in_exchange:
            self._in_exchange = False
            self._engine.leave()
