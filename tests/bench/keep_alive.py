"""A keep-alive HTTP client of a few lines: what is measured is the gateway, not the client."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

_PATIENCE_S = 30.0
_OPENED_TOGETHER = 100


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """One connection. Answers must have a `Content-Length`."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def open(cls, port: int) -> "KeepAlive":
        async with asyncio.timeout(_PATIENCE_S):
            return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def status(self, method: str, path: str, headers: Mapping[str, str]) -> int:
        """Of the answer, whose body is read and dropped."""
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Content-Length: 0"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        async with asyncio.timeout(_PATIENCE_S):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            length = int(head.split("content-length:")[1].split("\r\n")[0])
            await self.reader.readexactly(length)
        return int(head.split(" ", 2)[1])

    def close(self) -> None:
        self.writer.transport.abort()


@asynccontextmanager
async def connected(port: int, count: int) -> AsyncIterator[list[KeepAlive]]:
    opened: list[KeepAlive] = []
    try:
        while len(opened) < count:
            together = min(_OPENED_TOGETHER, count - len(opened))
            opened += await asyncio.gather(*(KeepAlive.open(port) for _ in range(together)))
        yield opened
    finally:
        for connection in opened:
            connection.close()
        await asyncio.sleep(0)  # lets the transports deliver their last callbacks
