"""One connection to an upstream: sends a request, reads its response, and says whether it may serve another.

Phases:

| phase     | bytes from the upstream            | its end of stream             | left when                       |
|-----------|------------------------------------|-------------------------------|---------------------------------|
| IDLE      | nobody asked: the connection is dead | dead                        | the pool lends it (HEAD)        |
| HEAD      | a response head, or interim ones   | lost                          | the head is complete (BODY, IDLE, TUNNEL) |
| BODY      | content                            | ends a body without length, else lost | the body is complete (IDLE) |
| TUNNEL    | passed on as they are              | half-close                    | closed                          |
| CLOSED    | dropped                            |                               |                                 |

Rule: a connection goes back to IDLE only when its response was complete, kept alive and followed by nothing, and its request
had been sent in full. In every other case it is closed.
"""

import asyncio
import select
from enum import Enum
from typing import Final, cast

from shared.relay.body_decoder import NOTHING, BodyDecoder, body_decoder
from shared.relay.faults import MessageRefused
from shared.relay.framing import Delimiter
from shared.relay.lender import Lender
from shared.relay.limits import Limits
from shared.relay.loss import LossReason
from shared.relay.outbox import Outbox, SocketWriter
from shared.relay.received import ReceivedResponse, read_response
from shared.relay.syntax import HEAD_END, check_unfinished_head
from shared.relay.ticker import NEVER, Ticker
from shared.relay.upstream_listener import ResponseSink, TunnelSink


class Phase(Enum):
    IDLE = "idle"
    HEAD = "head"
    BODY = "body"
    TUNNEL = "tunnel"
    CLOSED = "closed"


IDLE: Final = Phase.IDLE
HEAD: Final = Phase.HEAD
BODY: Final = Phase.BODY
TUNNEL: Final = Phase.TUNNEL
CLOSED: Final = Phase.CLOSED


class UpstreamConnection:
    """An `asyncio.Protocol`, without deriving from it: a class with a base from elsewhere cannot be compiled whole."""

    _transport: asyncio.Transport
    _writer: SocketWriter

    __slots__ = (
        "_decoder",
        "_held",
        "_idle_timeout",
        "_limits",
        "_outbox",
        "_persistent",
        "_poll",
        "_sink",
        "_ticker",
        "_to_head",
        "_transport",
        "_tunnel",
        "_until_close",
        "_writer",
        "deadline",
        "lender",
        "phase",
        "response_begun",
    )

    def __init__(
        self, lender: Lender, limits: Limits, ticker: Ticker, outbox: Outbox, idle_timeout: float
    ) -> None:
        self.lender = lender
        self.phase = IDLE
        self.deadline = NEVER
        self.response_begun = False
        self._limits = limits
        self._ticker = ticker
        self._outbox = outbox
        self._idle_timeout = idle_timeout
        self._sink: ResponseSink | None = None
        self._tunnel: TunnelSink | None = None
        self._decoder: BodyDecoder = NOTHING
        self._held = b""
        self._to_head = False
        self._until_close = False
        self._persistent = False
        self._poll: select.poll | None = None

    @property
    def is_closed(self) -> bool:
        return self.phase is CLOSED

    def begin(self, sink: ResponseSink, *, to_head: bool) -> None:
        """Lends the connection to `sink` for one exchange."""
        self.phase = HEAD
        self.deadline = NEVER
        self.response_begun = False
        self._sink = sink
        self._to_head = to_head

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    def expect_within(self, seconds: float) -> None:
        """The next sign of life is due then; what is missed is a TIMEOUT."""
        self.deadline = self._ticker.after(seconds)

    def expect_nothing(self) -> None:
        """It is not the upstream's turn."""
        self.deadline = NEVER

    def hold(self) -> None:
        """Stop reading: the client cannot take more. The client's own deadline counts meanwhile."""
        if not self._transport.is_closing():
            self._transport.pause_reading()
            self.deadline = NEVER

    def resume(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()
            self.expect_within(self._idle_timeout)

    def end_writing(self) -> None:
        if not self._transport.is_closing():
            self._writer.flush()
            self._transport.write_eof()

    def is_quiet(self) -> bool:
        """Whether the socket has neither bytes nor an end waiting that the loop has not delivered yet: one system call."""
        if self._transport.is_closing():
            return False
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)
        return not self._poll.poll(0)

    def put_back(self) -> None:
        """For the next one: the exchange has ended cleanly, or has never begun."""
        self.phase = IDLE
        self.expect_within(self._limits.upstream_keepalive)
        self.lender.give_back(self)

    def abandon(self) -> None:
        """Ends whatever is going on, without telling the sink."""
        self._close(abort=True)

    def close(self) -> None:
        """After what has been written is sent."""
        self._close(abort=False)

    def _close(self, *, abort: bool) -> None:
        if self.phase is CLOSED:
            return
        self.phase = CLOSED
        self.deadline = NEVER
        self._sink = None
        self._tunnel = None
        self.lender.forget(self)
        if abort:
            self._transport.abort()
        else:
            self._writer.flush()
            self._transport.close()

    def expired(self) -> None:
        self._fail(LossReason.TIMEOUT)

    def _fail(self, reason: LossReason) -> None:
        listener = self._listener()
        if self.phase is HEAD:
            self.lender.failed()
        self._close(abort=True)
        if listener is not None:
            listener.lost(reason)

    def _listener(self) -> ResponseSink | TunnelSink | None:
        return self._sink or self._tunnel

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._writer = SocketWriter(self._transport, self._outbox)
        self._transport.set_write_buffer_limits(high=self._limits.write_high_water)

    def connection_lost(self, _exc: Exception | None) -> None:
        if self.phase is not CLOSED:
            self._fail(LossReason.DISCONNECTED)

    def eof_received(self) -> bool:
        sink = self._sink
        if sink is not None and self.phase is BODY and self._until_close:
            self._settle(sink, reusable=False)
            sink.piece(b"", last=True)
            return False
        if self._tunnel is not None:
            self._tunnel.upstream_ended()
            return True
        self._fail(LossReason.DISCONNECTED)
        return False

    def pause_writing(self) -> None:
        listener = self._listener()
        if listener is not None:
            listener.upstream_writable(writable=False)

    def resume_writing(self) -> None:
        listener = self._listener()
        if listener is not None:
            listener.upstream_writable(writable=True)

    def data_received(self, data: bytes) -> None:
        sink = self._sink
        if sink is None:
            self._unasked(data)
        elif self.phase is BODY:
            self._body(sink, data)
        else:
            self.response_begun = True
            self._heads(sink, data)

    def _unasked(self, data: bytes) -> None:
        if self._tunnel is not None:
            self._tunnel.upstream_data(data)
        else:
            self._close(abort=True)

    def _heads(self, sink: ResponseSink, data: bytes) -> None:
        try:
            self._read_heads(sink, data)
        except MessageRefused:
            self._fail(LossReason.BAD_RESPONSE)

    def _read_heads(self, sink: ResponseSink, data: bytes) -> None:
        """Interim heads up to the final one, which may come with all or part of its body."""
        seen = len(self._held)
        data = self._held + data if seen else data
        while True:
            end = data.find(HEAD_END) + len(HEAD_END)
            if end < len(HEAD_END):
                check_unfinished_head(data, seen, self._limits)
                self._held = data
                return
            if end > self._limits.max_head:
                raise MessageRefused("The response head is too large.")
            head = read_response(data[:end], self._limits, to_head=self._to_head)
            data, seen = data[end:], 0
            self._held = b""
            if head.status >= 200 or head.status == 101:
                break
            sink.interim(head.status, head.fields)
            if self._sink is not sink:
                return
        if head.status == 101:
            self._switch(sink, head, data)
        else:
            self._final(sink, head, data)

    def _switch(self, sink: ResponseSink, head: ReceivedResponse, data: bytes) -> None:
        if not sink.websocket or not head.websocket:
            raise MessageRefused("Nobody asked for this protocol switch.")
        self.phase = TUNNEL
        self.expect_within(self._idle_timeout)
        self._sink = None
        tunnel = self._tunnel = sink.switched(head, self)
        if data:
            tunnel.upstream_data(data)

    def _final(self, sink: ResponseSink, head: ReceivedResponse, data: bytes) -> None:
        decoder = body_decoder(head.framing, self._limits)
        self._until_close = head.framing.delimiter is Delimiter.CLOSE
        piece, rest = decoder.decode(data) if data else (b"", b"")
        if decoder.done:
            self._settle(sink, reusable=head.keep_alive and not rest)
            sink.response(head, piece, last=True)
            return
        self.phase = BODY
        self._decoder = decoder
        self._persistent = head.keep_alive
        self.expect_within(self._idle_timeout)
        sink.response(head, piece, last=False)

    def _body(self, sink: ResponseSink, data: bytes) -> None:
        try:
            piece, rest = self._decoder.decode(data)
        except MessageRefused:
            self._fail(LossReason.BAD_RESPONSE)
            return
        if self._decoder.done:
            self._settle(sink, reusable=self._persistent and not rest)
            sink.piece(piece, last=True)
        elif piece:
            self.expect_within(self._idle_timeout)
            sink.piece(piece, last=False)

    def _settle(self, sink: ResponseSink, *, reusable: bool) -> None:
        """Before the sink is told: what it does next may lend this connection again."""
        self._sink = None
        if not sink.request_is_complete:
            self._close(abort=True)
        elif reusable:
            self.put_back()
        else:
            self.lender.answered()
            self._close(abort=False)
