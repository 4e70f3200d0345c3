"""An origin that says exactly what a test tells it to, byte for byte, and remembers what it was sent."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from typing_extensions import override

Script = Callable[["OriginConnection"], Awaitable[None]]


class OriginConnection:
    def __init__(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.number = number
        self.reader = reader
        self.writer = writer

    async def head(self) -> bytes:
        return await self.reader.readuntil(b"\r\n\r\n")

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def hang_up(self) -> None:
        self.writer.transport.abort()


class RawOrigin:
    """`heads`: every request head received, in order. `ended`: set when a connection has come to its end."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self.heads: list[bytes] = []
        self.connections = 0
        self.ended = asyncio.Event()
        self.port = 0
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        connection = RecordingConnection(self, self.connections, reader, writer)
        task = asyncio.current_task()
        assert task is not None
        self._open[task] = writer
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                await self._script(connection)
        finally:
            self.ended.set()
            writer.close()
            del self._open[task]

    async def close(self) -> None:
        for writer in self._open.values():
            writer.transport.abort()
        if self._open:
            await asyncio.wait(self._open, timeout=2)


class RecordingConnection(OriginConnection):
    def __init__(
        self, origin: RawOrigin, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        super().__init__(number, reader, writer)
        self._origin = origin

    @override
    async def head(self) -> bytes:
        head = await super().head()
        self._origin.heads.append(head)
        return head


@asynccontextmanager
async def raw_origin(script: Script) -> AsyncIterator[RawOrigin]:
    origin = RawOrigin(script)
    server = await asyncio.start_server(origin._serve, "127.0.0.1", 0, limit=1 << 20, backlog=4096)
    origin.port = server.sockets[0].getsockname()[1]
    try:
        yield origin
    finally:
        server.close()
        await origin.close()


def answering(response: bytes) -> Script:
    """Reads request heads and answers each with `response`, on and on."""

    async def script(connection: OriginConnection) -> None:
        while True:
            await connection.head()
            await connection.send(response)

    return script


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
