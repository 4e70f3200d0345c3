"""One connection to a server under test: bytes out, answers in, nothing waited for longer than the server's patience."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])[ \r]")


@dataclass(frozen=True, slots=True)
class Server:
    """`half_close`: whether a client that has said everything ends its side. `silence`: seconds without a byte that count as
    waiting; `patience`: seconds that an answer may take.
    """

    host: str
    port: int
    half_close: bool = False
    silence: float = 0.5
    patience: float = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """`fields` by lower-case name, the last one of each. `body` as on the wire; for a chunked one with its chunks' lines."""

    status: int
    fields: dict[bytes, bytes]
    body: bytes

    @property
    def closes(self) -> bool:
        return b"close" in self.fields.get(b"connection", b"").lower()

    @property
    def chunked(self) -> bool:
        return b"chunked" in self.fields.get(b"transfer-encoding", b"").lower()


class NoAnswer(Exception):
    """The connection ended, or stayed silent, before there was a whole answer."""


class Dialogue:
    def __init__(self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server = server
        self._reader = reader
        self._writer = writer

    async def say(self, data: bytes, *, more: bool = True) -> None:
        """`more`: something will still be said, so that the client's side stays open whatever the server's mode is.

        What the server does not want to hear any more is not an error: its answer counts.
        """
        with contextlib.suppress(ConnectionError):
            self._writer.write(data)
            await self._writer.drain()
            if self.server.half_close and not more:
                self._writer.write_eof()

    async def answer(self, *, to_head: bool = False, interim: bool = False) -> Answer:
        """The next answer; interim ones are passed over unless asked for. Raises NoAnswer."""
        try:
            async with asyncio.timeout(self.server.patience):
                while True:
                    answer = await self._one_answer(to_head=to_head)
                    if interim or answer.status >= 200:
                        return answer
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError, ValueError) as none:
            raise NoAnswer from none

    async def _one_answer(self, *, to_head: bool) -> Answer:
        head = await self._reader.readuntil(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        found = _STATUS.match(head)
        if found is None:
            raise NoAnswer
        pairs = (line.partition(b":") for line in lines[1:] if line)
        answer = Answer(int(found[1]), {name.lower(): value.strip() for name, _, value in pairs}, b"")
        if to_head or answer.status < 200 or answer.status in {204, 304}:
            return answer
        return Answer(answer.status, answer.fields, await self._body(answer))

    async def _body(self, answer: Answer) -> bytes:
        if answer.chunked:
            return await self._reader.readuntil(b"0\r\n\r\n")
        if b"content-length" in answer.fields:
            return await self._reader.readexactly(int(answer.fields[b"content-length"]))
        return await self._reader.read()

    async def statuses_until_close(self) -> list[int]:
        """The statuses of everything that comes. Raises NoAnswer when the server does not close."""
        return [int(status) for status in _STATUS.findall(await self.everything())]

    async def everything(self) -> bytes:
        """All bytes up to the end of the connection, which a reset is too. Raises NoAnswer when there is no end."""
        received = b""
        try:
            async with asyncio.timeout(self.server.patience):
                while data := await self._reader.read(65536):
                    received += data
        except TimeoutError as never:
            raise NoAnswer from never
        except ConnectionError:
            pass
        return received

    async def stays_silent(self) -> bool:
        """Whether for a while nothing comes, not even the end."""
        try:
            async with asyncio.timeout(self.server.silence):
                await self._reader.read(1)
        except TimeoutError:
            return True
        except ConnectionError:
            pass
        return False


@asynccontextmanager
async def dialogue(server: Server) -> AsyncIterator[Dialogue]:
    async with asyncio.timeout(server.patience):
        reader, writer = await asyncio.open_connection(server.host, server.port)
    try:
        yield Dialogue(server, reader, writer)
    finally:
        writer.transport.abort()
