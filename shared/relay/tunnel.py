"""A WebSocket between client and upstream: bytes both ways, each side's end passed on, and a polite close when draining."""

from typing import Protocol

from shared.relay.books import Books
from shared.relay.client_socket import ClientSocket
from shared.relay.director import Ending
from shared.relay.loss import LossReason
from shared.relay.upstream_connection import UpstreamConnection
from shared.relay.websocket_frames import (
    GOING_AWAY,
    POLICY_VIOLATION,
    FrameBoundaries,
    close_to_client,
    close_to_server,
)

FAREWELL = 1.0
"""Seconds that both sides get to answer a close frame."""


class TunnelClient(Protocol):
    socket: ClientSocket

    def tunnel_closed(self) -> None: ...


class Tunnel:
    """`_deaf_to_*`: that side has been told goodbye on behalf of the other; what the other still says to it is dropped."""

    __slots__ = (
        "_books",
        "_client",
        "_client_ended",
        "_deaf_to_client",
        "_deaf_to_upstream",
        "_from_client",
        "_from_upstream",
        "_idle_timeout",
        "_leaving",
        "_reason",
        "_upstream",
        "_upstream_ended",
    )

    def __init__(
        self, client: TunnelClient, upstream: UpstreamConnection, books: Books, idle_timeout: float
    ) -> None:
        self._client = client
        self._upstream = upstream
        self._books = books
        self._idle_timeout = idle_timeout
        self._from_client = FrameBoundaries()
        self._from_upstream = FrameBoundaries()
        self._client_ended = self._upstream_ended = False
        self._deaf_to_client = self._deaf_to_upstream = False
        self._leaving: Ending | None = None
        self._reason = GOING_AWAY
        books.request_bytes = books.response_bytes = 0

    def client_data(self, data: bytes) -> None:
        if self._deaf_to_client:
            return
        taken = self._from_client.follow(data, to_first_boundary=self._leaving is not None)
        self._books.request_bytes += taken
        self._upstream.write(data[:taken])
        if self._leaving is not None:
            self._say_goodbye()
        else:
            self._upstream.expect_within(self._idle_timeout)

    def upstream_data(self, data: bytes) -> None:
        if self._deaf_to_upstream:
            return
        taken = self._from_upstream.follow(data, to_first_boundary=self._leaving is not None)
        self._books.response_bytes += taken
        self._client.socket.send(data[:taken])
        if self._leaving is not None:
            self._say_goodbye()
        else:
            self._upstream.expect_within(self._idle_timeout)

    def client_ended(self) -> None:
        self._client_ended = True
        self._upstream.end_writing()
        self._close_if_over()

    def upstream_ended(self) -> None:
        self._upstream_ended = True
        self._client.socket.end_writing()
        self._close_if_over()

    def client_writable(self, *, writable: bool) -> None:
        if writable:
            self._upstream.resume()
        else:
            self._upstream.hold()

    def upstream_writable(self, *, writable: bool) -> None:
        if writable:
            self._client.socket.resume_reading()
        else:
            self._client.socket.hold_reading()

    def client_gone(self) -> None:
        self._upstream.close()
        self._books.close(self._ending(Ending.CLIENT_GONE))

    def lost(self, reason: LossReason) -> None:
        """Silence for the idle timeout is an end like any other; a reset is not."""
        ending = Ending.COMPLETE if reason is LossReason.TIMEOUT else Ending.UPSTREAM_FAILED
        self._books.close(self._ending(ending))
        self._client.tunnel_closed()

    def leave(self) -> None:
        """Sends both sides 1001 (going away) as soon as they are between two frames; what they say after that is dropped."""
        self._leave(Ending.COMPLETE)

    def cut(self) -> None:
        """As `leave`, but the client is told 1008 (policy violation)."""
        if self._leaving is None:
            self._reason = POLICY_VIOLATION
            self._leave(Ending.CUT)

    def _leave(self, ending: Ending) -> None:
        self._leaving = ending
        self._upstream.expect_within(FAREWELL)
        self._say_goodbye()

    def _say_goodbye(self) -> None:
        # A side that has ended was passed on as the end of what the other side gets: nothing can follow.
        if not (self._upstream_ended or self._deaf_to_upstream) and self._from_upstream.between_frames:
            self._deaf_to_upstream = True
            self._client.socket.send(close_to_client(self._reason))
        if not (self._client_ended or self._deaf_to_client) and self._from_client.between_frames:
            self._deaf_to_client = True
            self._upstream.write(close_to_server())

    def _ending(self, otherwise: Ending) -> Ending:
        return otherwise if self._leaving is None else self._leaving

    def _close_if_over(self) -> None:
        if self._client_ended and self._upstream_ended:
            self._upstream.close()
            self._books.close(self._ending(Ending.COMPLETE))
            self._client.tunnel_closed()
