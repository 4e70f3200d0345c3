"""One client's connection: what comes and goes on the wire, and how it is closed. What is said is a `Conversation`.

Stages:

| stage   | bytes from the client | the client ends its side | left when                                |
|---------|-----------------------|--------------------------|------------------------------------------|
| TALKING | to the conversation   | to the conversation      | it takes a tunnel, or wants to close     |
| TUNNEL  | to the tunnel         | to the tunnel            | the tunnel is closed (LINGER)            |
| LINGER  | dropped               | closed                   | the client has ended too, or in time     |
| CLOSED  |                       |                          |                                          |
"""

import asyncio
from enum import Enum
from typing import Final, cast

from shared.relay.client_socket import ClientSocket
from shared.relay.conversation import Conversation
from shared.relay.director import FaultKind
from shared.relay.engine import Engine
from shared.relay.ticker import NEVER
from shared.relay.tunnel import Tunnel


class Stage(Enum):
    TALKING = "talking"
    TUNNEL = "tunnel"
    LINGER = "linger"
    CLOSED = "closed"


TALKING: Final = Stage.TALKING
TUNNEL: Final = Stage.TUNNEL
LINGER: Final = Stage.LINGER
CLOSED: Final = Stage.CLOSED


class ClientConnection:
    """An `asyncio.Protocol`, without deriving from it: a class with a base from elsewhere cannot be compiled whole."""

    socket: ClientSocket
    _conversation: Conversation

    __slots__ = (
        "_conversation",
        "_engine",
        "_stage",
        "_tunnel",
        "ended",
        "read_deadline",
        "socket",
        "write_deadline",
    )

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._stage = TALKING
        self._tunnel: Tunnel | None = None
        self.ended = False
        self.read_deadline = NEVER
        self.write_deadline = NEVER

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        engine = self._engine
        self.socket = ClientSocket(cast(asyncio.Transport, transport), engine.limits, engine.outbox)
        self._conversation = Conversation(self, engine)
        self.read_deadline = engine.ticker.after(engine.limits.head_timeout)
        engine.clients.add(self)
        if len(engine.clients) > engine.max_clients:
            self._conversation.refuse(FaultKind.OVERLOADED, "There are too many connections.")

    def connection_lost(self, _exc: Exception | None) -> None:
        self._engine.clients.discard(self)
        self._lost()

    def data_received(self, data: bytes) -> None:
        if self._stage is TALKING:
            self._conversation.data(data)
        elif self._tunnel is not None:
            self._tunnel.client_data(data)

    def eof_received(self) -> bool:
        """Always keeps the other half open: a client may send its request, end its side and wait for the answer."""
        self.ended = True
        if self._stage is TALKING:
            self._conversation.client_ended()
        elif self._tunnel is not None:
            self._tunnel.client_ended()
        else:
            self.socket.close()
        return True

    def pause_writing(self) -> None:
        self.socket.writable = False
        self._watch_writing()
        self._tell_writable(writable=False)

    def resume_writing(self) -> None:
        self.socket.writable = True
        self.write_deadline = NEVER
        self._tell_writable(writable=True)

    def _tell_writable(self, *, writable: bool) -> None:
        if self._stage is TALKING:
            self._conversation.client_writable(writable=writable)
        elif self._tunnel is not None:
            self._tunnel.client_writable(writable=writable)

    def _watch_writing(self) -> None:
        self.socket.note_unsent()
        self.write_deadline = self._engine.ticker.after(self._engine.limits.write_stall)

    def read_within(self, seconds: float) -> None:
        """The client's next move is due then."""
        self.read_deadline = self._engine.ticker.after(seconds)

    def enter_tunnel(self, tunnel: Tunnel, early: bytes) -> None:
        """`early`: what the client has already sent into it."""
        self._stage = TUNNEL
        self._tunnel = tunnel
        self.read_deadline = NEVER
        self.socket.resume_reading()
        if early:
            tunnel.client_data(early)
        if self.ended:
            tunnel.client_ended()
        if self._engine.draining:
            tunnel.leave()

    def tunnel_closed(self) -> None:
        self._tunnel = None
        self._conversation.exchange_over()
        self.linger()

    def linger(self) -> None:
        """Closes after what was written is sent. Until the client has seen the end its input is read and dropped: closing with
        input unread would send a reset, which may overtake the answer (RFC 9112 section 9.6).
        """
        self._stage = LINGER
        self.read_within(self._engine.limits.linger)
        if self.ended:
            self.socket.close()
        else:
            self.socket.resume_reading()
            self.socket.end_writing()

    @property
    def is_idle(self) -> bool:
        """Between two requests, as far as is known here: the next one may be on its way."""
        return self._stage is TALKING and self._conversation.is_idle

    def leave_tunnel(self) -> None:
        if self._tunnel is not None:
            self._tunnel.leave()

    def close_idle(self) -> None:
        if self.is_idle:
            self.linger()

    def abort(self) -> None:
        self._lost()
        self.socket.abort()

    def _lost(self) -> None:
        stage, self._stage = self._stage, CLOSED
        self.read_deadline = self.write_deadline = NEVER
        tunnel, self._tunnel = self._tunnel, None
        if stage is TALKING:
            self._conversation.client_gone()
        elif tunnel is not None:
            tunnel.client_gone()
            self._conversation.exchange_over()

    def expired(self, now: float) -> None:
        """One of the deadlines has passed. A reader is given up when it has not taken one byte since the last look."""
        if self.write_deadline <= now:
            if self.socket.has_stalled():
                self.abort()
            else:
                self._watch_writing()
        elif self._stage is TALKING:
            self._conversation.expired()
        elif self._stage is LINGER and self.socket.has_unsent():
            self.read_deadline = NEVER
            self._watch_writing()
        else:
            self.abort()
