"""The relay as its users see it: what to listen on, and how to stop."""

import asyncio
import socket
from collections.abc import Callable
from typing import cast

from shared.clock import Clock
from shared.relay.client_connection import ClientConnection
from shared.relay.director import Director, Target, UpstreamSpec
from shared.relay.engine import Engine
from shared.relay.limits import Limits
from shared.relay.open_files import clients_within, raise_open_files
from shared.relay.shared_listener import SharedListener

_LAST_DECISIONS = 5.0
"""Seconds that pending decisions get when the relay closes, so that what they reserved is given an outcome."""

_BACKLOG = 2048
_LAST_REQUEST = 0.5
"""Seconds that a connection without a request is given, when draining, for a request that may be on its way."""


class Relay:
    def __init__(
        self,
        director: Director,
        *,
        limits: Limits | None = None,
        clock: Clock,
        new_request_id: Callable[[], str],
    ) -> None:
        self._limits = limits or Limits()
        self._engine = Engine(director, self._limits, clock, new_request_id)
        self._servers: list[asyncio.Server | SharedListener] = []

    @property
    def in_flight(self) -> int:
        """Exchanges between the end of their request head and the end of their answer; open WebSockets count."""
        return self._engine.in_flight

    @property
    def connections(self) -> int:
        return len(self._engine.clients)

    def upstream_state(self, spec: UpstreamSpec) -> dict[str, object]:
        return self._engine.upstream_state(spec)

    def set_healthy(self, upstream: str, target: Target, *, healthy: bool) -> None:
        """What a health check has found. A target that is unwell is asked only when every target of its upstream is."""
        self._engine.set_healthy(upstream, target, healthy=healthy)

    async def serve(self, sock: socket.socket) -> None:
        """Starts to accept on `sock`, a bound TCP or Unix socket, and returns. May be called for several.

        Raises the process's limit of open files; where that leaves room for fewer clients than `Limits.max_connections`, those
        beyond are told 503, rather than all finding out that no upstream can be connected to any more.
        """
        self._prepare(sock)
        loop = asyncio.get_running_loop()
        listen = loop.create_unix_server if sock.family == socket.AF_UNIX else loop.create_server
        server = await listen(self._new_client, sock=sock, backlog=_BACKLOG)
        self._servers.append(server)

    def _new_client(self) -> asyncio.Protocol:
        # It is one, but for the base class (see there).
        return cast(asyncio.Protocol, ClientConnection(self._engine))

    def _prepare(self, sock: socket.socket) -> None:
        self._engine.max_clients = min(self._limits.max_connections, clients_within(raise_open_files()))
        self._engine.ticker.start()
        if sock.family != socket.AF_UNIX:
            # Inherited by what is accepted. Without it the kernel takes megabytes for every client that reads slowly.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, self._limits.kernel_unsent)

    def serve_shared(self, sock: socket.socket) -> None:
        """As `serve`, on a TCP socket on which other processes accept too."""
        self._prepare(sock)
        listener = SharedListener(sock, self._new_client)
        listener.start(_BACKLOG)
        self._servers.append(listener)

    async def drain(self, deadline_s: float) -> bool:
        """Stops accepting, closes WebSockets (1001) and idle connections, and waits for the rest.

        A connection without a request is closed a moment later: its client may be sending one, which would be lost. When it comes in
        that time it is served, and its answer says that it is the last. Whether everything ended in time; what did not is left to
        `close`.
        """
        self._stop_accepting()
        self._engine.draining = True
        for client in list(self._engine.clients):
            client.leave_tunnel()
        await self._engine.until_none_is_idle(min(_LAST_REQUEST, deadline_s))
        self._close_idle()
        in_time = await self._engine.until_idle(deadline_s)
        self._close_idle()
        return in_time

    def _close_idle(self) -> None:
        for client in list(self._engine.clients):
            client.close_idle()

    async def close(self) -> None:
        """Ends everything at once; every exchange is still given its outcome."""
        self._stop_accepting()
        self._engine.draining = True
        for client in list(self._engine.clients):
            client.abort()
        await self._engine.decisions_taken(_LAST_DECISIONS)
        self._engine.close_pools()
        self._engine.ticker.stop()
        await asyncio.sleep(0)  # lets the transports deliver their last callbacks

    def _stop_accepting(self) -> None:
        for server in self._servers:
            server.close()
        self._servers.clear()
