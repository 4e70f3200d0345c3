"""One client's connection: its requests, one after the other, each answered before the next is begun.

Phases:

| phase     | bytes from the client                | the client ends its side   | left when                                  |
|-----------|--------------------------------------|----------------------------|--------------------------------------------|
| HEAD      | a request head                       | closed                     | the head is complete (DECIDING), or refused (LINGER) |
| DECIDING  | kept                                 | noted                      | the director has decided                   |
| BODY      | the request's body                   | the body is broken         | the body is complete (ANSWERING)           |
| ANSWERING | kept, for the next request           | see `_mind_half_closed`    | the answer is complete (HEAD, LINGER)      |
| DISCARD   | the rest of a body that nobody wants | closed                     | the body is complete (HEAD), or large (LINGER) |
| TUNNEL    | passed on as they are                | passed on                  | the tunnel is closed (LINGER)              |
| LINGER    | dropped                              | closed                     | closed                                     |
| CLOSED    |                                      |                            |                                            |

Kept bytes are bounded: beyond `Limits.read_ahead` the client is not read until they are used.
"""

import asyncio
from collections.abc import Sequence
from enum import Enum
from typing import cast

from typing_extensions import override

from shared.relay.books import Books
from shared.relay.client_socket import ClientSocket
from shared.relay.deciding import decide
from shared.relay.director import Decision, Ending, FaultKind, Field, Forward, RequestHead, Respond
from shared.relay.engine import Engine
from shared.relay.faults import MessageRefused
from shared.relay.forwarding import Forwarding
from shared.relay.framing import Delimiter
from shared.relay.received import ReceivedRequest
from shared.relay.request_reader import RequestReader
from shared.relay.ticker import NEVER
from shared.relay.tunnel import Tunnel


class Phase(Enum):
    HEAD = "head"
    DECIDING = "deciding"
    BODY = "body"
    ANSWERING = "answering"
    DISCARD = "discard"
    TUNNEL = "tunnel"
    LINGER = "linger"
    CLOSED = "closed"


HEAD, DECIDING, BODY, ANSWERING, DISCARD, TUNNEL, LINGER, CLOSED = Phase
_LEAVES_THE_CONNECTION = frozenset(
    {FaultKind.UPSTREAM_ERROR, FaultKind.UPSTREAM_TIMEOUT, FaultKind.BODY_TOO_LARGE}
)


class ClientConnection(asyncio.Protocol):
    _request: ReceivedRequest
    _socket: ClientSocket

    __slots__ = (
        "_body_timeout",
        "_ended",
        "_engine",
        "_forwarding",
        "_head_begun",
        "_in_exchange",
        "_phase",
        "_reader",
        "_reading_heads",
        "_request",
        "_request_id",
        "_socket",
        "_started",
        "_tunnel",
        "read_deadline",
    )

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._phase = HEAD
        self._reader = RequestReader(engine.limits)
        self._forwarding: Forwarding | None = None
        self._tunnel: Tunnel | None = None
        self._request_id = ""
        self._started = 0.0
        self._body_timeout = 0.0
        self._ended = False
        self._in_exchange = False
        self._head_begun = False
        self._reading_heads = False
        self.read_deadline = NEVER

    @property
    def deadline(self) -> float:
        return min(self.read_deadline, self._socket.deadline)

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        engine = self._engine
        self._socket = ClientSocket(cast(asyncio.Transport, transport), engine.limits, engine.ticker)
        engine.clients.add(self)
        self.read_deadline = engine.ticker.after(engine.limits.head_timeout)
        if len(engine.clients) > engine.limits.max_connections:
            self._refuse(FaultKind.OVERLOADED, "There are too many connections.")

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._engine.clients.discard(self)
        self._lost()

    @override
    def pause_writing(self) -> None:
        self._socket.writing_paused()
        self._tell_writable(writable=False)

    @override
    def resume_writing(self) -> None:
        self._socket.writing_resumed()
        self._tell_writable(writable=True)
        if self._phase is HEAD:
            self._read_heads()

    def _tell_writable(self, *, writable: bool) -> None:
        listener = self._forwarding or self._tunnel
        if listener is not None:
            listener.client_writable(writable=writable)

    @override
    def data_received(self, data: bytes) -> None:
        phase = self._phase
        if phase is HEAD:
            self._reader.keep(data)
            self._read_heads()
        elif phase is BODY:
            self._read_body(data)
        elif phase is TUNNEL and self._tunnel is not None:
            self._tunnel.client_data(data)
        elif phase is DISCARD:
            self._discard(data)
        elif phase is ANSWERING or phase is DECIDING:
            self._reader.keep(data)
            if self._reader.is_far_ahead:
                self._socket.hold_reading()

    @override
    def eof_received(self) -> bool:
        """Always keeps the other half open: a client may send its request, end its side and wait for the answer."""
        self._ended = True
        match self._phase:
            case Phase.HEAD:
                self._end_between_requests()
            case Phase.BODY if self._forwarding is not None:
                self._forwarding.body_refused(FaultKind.BAD_REQUEST, "The request body ended early.")
            case Phase.ANSWERING:
                self._mind_half_closed()
            case Phase.TUNNEL if self._tunnel is not None:
                self._tunnel.client_ended()
            case Phase.DISCARD | Phase.LINGER:
                self._linger()
            case _:
                pass  # DECIDING: looked at when the decision is there
        return True

    def _end_between_requests(self) -> None:
        if not self._socket.writable:
            return  # there may be whole requests in what is kept
        if self._reader.kept:
            self._refuse(FaultKind.BAD_REQUEST, "The request ended early.")
        else:
            self._linger()

    def _mind_half_closed(self) -> None:
        """A client that ended its side may have left for good; only what it is sent can tell.

        An answer that ends by itself is served. An event stream ends at once, any other open-ended answer when it falls silent.
        """
        forwarding = self._forwarding
        if forwarding is None:
            return
        if forwarding.is_event_stream:
            self.abort()
        elif forwarding.has_open_end:
            self.read_deadline = self._engine.ticker.after(self._engine.limits.half_closed_silence)

    def _read_heads(self) -> None:
        """Serves what is kept, until a request has to be waited for. Not by recursion, however many are answered at once."""
        if self._reading_heads:
            return
        self._reading_heads = True
        while self._reader.kept and self._phase is HEAD and self._socket.writable and self._read_head():
            pass
        self._reading_heads = False
        if self._ended and self._phase is HEAD:
            self._end_between_requests()

    def _read_head(self) -> bool:
        """Whether there was one, and it was begun."""
        try:
            request = self._reader.head()
        except MessageRefused as refused:
            self._refuse(refused.kind, refused.detail)
            return False
        if request is None:
            if not self._head_begun:
                self._head_begun = True
                self.read_deadline = self._engine.ticker.after(self._engine.limits.head_timeout)
            return False
        self._request = request
        self._begin()
        return True

    def _begin(self) -> None:
        engine, request = self._engine, self._request
        engine.enter()
        self._in_exchange = True
        self._phase = DECIDING
        self.read_deadline = NEVER
        self._head_begun = False
        self._request_id = engine.new_request_id()
        self._started = engine.monotonic()
        head = RequestHead(
            request_id=self._request_id,
            method=request.method,
            target=request.target,
            host=request.host,
            http11=request.http11,
            fields=request.fields,
            peer=self._socket.peer,
            content_length=request.framing.length if request.framing.delimiter is Delimiter.LENGTH else None,
            websocket=request.websocket,
        )
        decide(engine, head, self._decided)

    def _decided(self, decision: Decision) -> None:
        if self._phase is not DECIDING:  # the client left meanwhile
            self._exchange_over()
            if isinstance(decision, Forward):
                Books(decision.exchange, self._started, self._engine.monotonic).close(Ending.CLIENT_GONE)
        elif isinstance(decision, Respond):
            self._respond(decision)
        else:
            self._forward(decision)

    def _forward(self, decision: Forward) -> None:
        engine = self._engine
        books = Books(decision.exchange, self._started, engine.monotonic)
        forwarding = Forwarding(self, engine, self._request, self._request_id, decision, books)
        self._forwarding = forwarding
        self._body_timeout = decision.upstream.idle_timeout
        self._phase = BODY
        try:
            piece = self._reader.body()
        except MessageRefused as refused:
            forwarding.body_refused(refused.kind, refused.detail)
            return
        complete = self._reader.body_is_complete
        if self._ended and not complete:
            forwarding.body_refused(FaultKind.BAD_REQUEST, "The request body ended early.")
            return
        if complete:
            self._phase = ANSWERING
        else:
            self.read_deadline = engine.ticker.after(self._body_timeout)
        forwarding.start(piece, complete=complete)
        if self._ended:
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
            self.read_deadline = NEVER
        else:
            self.read_deadline = self._engine.ticker.after(self._body_timeout)
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
        self._socket.send(
            self._engine.own_answers.encode(respond, self._request_id, self._request, keep_alive=keep_alive)
        )
        self.answered(keep_alive=keep_alive)

    def _refuse(self, kind: FaultKind, detail: str) -> None:
        """What came is no request that could be decided about."""
        answers, request_id = self._engine.own_answers, self._engine.new_request_id()
        self._socket.send(answers.encode_last(answers.fault(kind, detail, request_id), request_id))
        self._linger()

    def send(self, data: bytes) -> None:
        self._socket.send(data)
        if self._ended and self._phase is ANSWERING:
            self._mind_half_closed()

    def hold_body(self) -> None:
        if self._phase is BODY or self._phase is TUNNEL:
            self._socket.hold_reading()
            self.read_deadline = NEVER

    def release_body(self) -> None:
        if self._phase is BODY or self._phase is TUNNEL:
            self._socket.resume_reading()
            if self._phase is BODY:
                self.read_deadline = self._engine.ticker.after(self._body_timeout)

    def may_persist(self) -> bool:
        return self._request.keep_alive and not self._engine.draining and self._reader.may_drop_rest()

    def answered(self, *, keep_alive: bool) -> None:
        self._forwarding = None
        self._exchange_over()
        if not keep_alive or not self._reader.may_drop_rest():
            self._linger()
        elif self._reader.body_is_complete:
            self._next()
        else:
            self._phase = DISCARD
            self.read_deadline = self._engine.ticker.after(self._engine.limits.head_timeout)
            self._socket.resume_reading()

    def _next(self) -> None:
        self._phase = HEAD
        self.read_deadline = self._engine.ticker.after(self._engine.limits.keepalive_timeout)
        self._socket.resume_reading()
        if self._reader.kept or self._ended:
            self._read_heads()

    def _discard(self, data: bytes) -> None:
        try:
            worth_it = self._reader.drop(data)
        except MessageRefused:
            worth_it = False
        if not worth_it:
            self._linger()
        elif self._reader.body_is_complete:
            self._next()

    def break_off(self, *, abruptly: bool) -> None:
        self._forwarding = None
        self._exchange_over()
        if abruptly:
            self.abort()
        else:
            self._linger()

    def enter_tunnel(self, tunnel: Tunnel) -> None:
        self._forwarding = None
        self._tunnel = tunnel
        self._phase = TUNNEL
        self._socket.resume_reading()
        early, self._reader.kept = self._reader.kept, b""
        if early:
            tunnel.client_data(early)
        if self._ended:
            tunnel.client_ended()
        if self._engine.draining:
            tunnel.leave()

    def end_writing(self) -> None:
        self._socket.end_writing()

    def tunnel_closed(self) -> None:
        self._tunnel = None
        self._exchange_over()
        self._linger()

    def _exchange_over(self) -> None:
        if self._in_exchange:
            self._in_exchange = False
            self._engine.leave()

    def _linger(self) -> None:
        """Closes after what was written is sent. Until the client has seen the end its input is read and dropped: closing with
        input unread would send a reset, which may overtake the answer (RFC 9112 section 9.6).
        """
        self._reader.kept = b""
        self._phase = LINGER
        self.read_deadline = self._engine.ticker.after(self._engine.limits.linger)
        if self._ended:
            self._socket.close()
        else:
            self._socket.resume_reading()
            self._socket.end_writing()

    def drain(self) -> None:
        if self._tunnel is not None:
            self._tunnel.leave()
        elif self._phase is HEAD and not self._reader.kept:
            self._linger()

    def abort(self) -> None:
        self._lost()
        self._socket.abort()

    def _lost(self) -> None:
        if self._phase is CLOSED:
            return
        deciding = self._phase is DECIDING
        self._phase = CLOSED
        self.read_deadline = NEVER
        listener = self._forwarding or self._tunnel
        self._forwarding = self._tunnel = None
        if listener is not None:
            listener.client_gone()
        if not deciding:  # else the exchange is over when the decision has been taken
            self._exchange_over()

    def expired(self, now: float) -> None:
        if self._socket.deadline <= now and self._socket.is_stalled():
            self.abort()
        elif self.read_deadline <= now:
            self._read_expired()

    def _read_expired(self) -> None:
        match self._phase:
            case Phase.HEAD if self._reader.kept:
                self._refuse(FaultKind.REQUEST_TIMEOUT, "The request head did not arrive in time.")
            case Phase.BODY if self._forwarding is not None:
                self._forwarding.body_refused(FaultKind.REQUEST_TIMEOUT, "The request body stalled.")
            case Phase.HEAD | Phase.DISCARD:
                self._linger()
            case Phase.LINGER if self._socket.has_unsent() and self._socket.deadline == NEVER:
                self.read_deadline = NEVER
                self._socket.watch()
            case _:
                self.abort()
