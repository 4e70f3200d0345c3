"""A keep-alive HTTP client of a few lines: what is measured is the gateway, not the client."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

_PATIENCE_S = 30.0


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
