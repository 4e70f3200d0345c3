"""What is left when a Python gateway does nothing: uvloop passes on the bytes that come, unread, to one connection for each client.

It is the floor below which no gateway on this loop can be, and no proxy: it reads no request, and mends none.
`python -m tests.bench.peers.bare_forwarder PORT UPSTREAM_PORT` serves.
"""

import asyncio
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import ClassVar, cast

import uvloop
from typing_extensions import override

from tests.bench.peers.contender import Lane, Running, Site, own_folder, program, wait_for
from tests.free_ports import free_port


class BareForwarder:
    name = "bare uvloop"
    leaves_out: ClassVar[Mapping[Lane, str]] = {Lane.PLAIN: "everything: it reads no request (the floor)"}

    @contextmanager
    def running(self, site: Site) -> Iterator[Running]:
        place, port = own_folder(site, "forwarder"), free_port()
        log = place.folder / "forwarder.log"
        command = [
            sys.executable,
            "-m",
            "tests.bench.peers.bare_forwarder",
            str(port),
            str(site.upstream_port),
        ]
        with program(command, log, {"PATH": os.environ["PATH"]}) as pid:
            wait_for(port, log)
            yield Running(pid, {Lane.PLAIN: f"http://127.0.0.1:{port}/"})


class _Turn:
    """What one turn of the loop passes on is sent at its end, as ours does: sooner would wake a sleeping upstream for each request."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: list[tuple[asyncio.Transport, bytes]] = []

    def send(self, to: asyncio.Transport, data: bytes) -> None:
        if not self._waiting:
            self._loop.call_soon(self._end)
        self._waiting.append((to, data))

    def _end(self) -> None:
        waiting, self._waiting = self._waiting, []
        for to, data in waiting:
            to.write(data)


class _Side(asyncio.Protocol):
    """One of two connections; what comes before there is another is kept."""

    def __init__(self, turn: _Turn) -> None:
        self._turn = turn
        self._early = b""
        self._other: _Side | None = None
        self.transport: asyncio.Transport | None = None

    def join(self, other: "_Side") -> None:
        self._other = other
        if self._early:
            self.data_received(self._early)

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do not derive from asyncio's classes, so this cannot be checked by isinstance.
        self.transport = cast(asyncio.Transport, transport)

    @override
    def data_received(self, data: bytes) -> None:
        if self._other is None or self._other.transport is None:
            self._early += data
        else:
            self._turn.send(self._other.transport, data)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if self._other is not None and self._other.transport is not None:
            self._other.transport.close()


async def serve(port: int, upstream_port: int) -> None:
    loop = asyncio.get_running_loop()
    turn = _Turn(loop)
    opening: set[asyncio.Task[None]] = set()

    async def open_upstream(client: _Side) -> None:
        _, upstream = await loop.create_connection(lambda: _Side(turn), "127.0.0.1", upstream_port)
        upstream.join(client)
        client.join(upstream)

    def accept() -> _Side:
        client = _Side(turn)
        task = loop.create_task(open_upstream(client))
        opening.add(task)
        task.add_done_callback(opening.discard)
        return client

    server = await loop.create_server(accept, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), int(sys.argv[2])))
