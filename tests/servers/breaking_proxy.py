"""A proxy before an HTTP server that breaks a share of the calls, each in its own way, until it is told to be calm."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from contextlib import suppress
from enum import StrEnum

from tests.servers.closing import accept_no_more

ANSWER_MOST_S = 30.0
_PAGES = (200, 404, 429, 500, 502, 503, 504)
"""404 and 200: of a proxy that does not know the server for a moment."""


class Fate(StrEnum):
    """Of one call."""

    PASSED = "passed"
    CUT_ON_THE_WAY = "cut on the way"
    ANSWER_CUT = "answer cut"
    ANSWER_LOST = "answer lost"
    ANSWERED_BY_PROXY = "answered by the proxy"
    REFUSED = "refused"
    SENT_TWICE = "sent twice"


_MISHAPS = [fate for fate in Fate if fate is not Fate.PASSED]


class BreakingProxy:
    """`share` of the calls are broken; `fates` counts what became of them. `seed` decides which, in the order in which they come."""

    def __init__(self, target_port: int, seed: int, share: float) -> None:
        self.share = share
        self.fates = dict.fromkeys(Fate, 0)
        self._target_port = target_port
        self._random = random.Random(seed)  # noqa: S311 - not a secret
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)

    async def stop(self) -> None:
        assert self._server is not None
        await accept_no_more(self._server.sockets)
        self._server.close()
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            with suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
                while await self._call(await _message(reader), writer):
                    pass
        finally:
            self._connections.discard(task)
            writer.transport.abort()

    async def _call(self, request: bytes, writer: asyncio.StreamWriter) -> bool:
        """False when the connection is broken off."""
        breaks = self._random.random() < self.share
        fate = self._random.choice(_MISHAPS) if breaks else Fate.PASSED
        self.fates[fate] += 1
        answers: dict[Fate, Callable[[bytes], Coroutine[None, None, tuple[bytes, bool]]]] = {
            Fate.PASSED: self._passed,
            Fate.CUT_ON_THE_WAY: self._cut_on_the_way,
            Fate.ANSWER_CUT: self._answer_cut,
            Fate.ANSWER_LOST: self._answer_lost,
            Fate.ANSWERED_BY_PROXY: self._answered_by_proxy,
            Fate.REFUSED: self._refused,
            Fate.SENT_TWICE: self._sent_twice,
        }
        answer, goes_on = await answers[fate](request)
        writer.write(answer)
        await writer.drain()
        return goes_on

    async def _passed(self, request: bytes) -> tuple[bytes, bool]:
        return await self._ask(request), True

    async def _cut_on_the_way(self, request: bytes) -> tuple[bytes, bool]:
        _, upstream = await asyncio.open_connection("127.0.0.1", self._target_port)
        upstream.write(request[: self._random.randrange(len(request))])
        await upstream.drain()
        upstream.transport.abort()
        return b"", False

    async def _answer_cut(self, request: bytes) -> tuple[bytes, bool]:
        answer = await self._ask(request)
        return answer[: self._random.randrange(len(answer))], False

    async def _answer_lost(self, request: bytes) -> tuple[bytes, bool]:
        await self._ask(request)
        return b"", False

    async def _answered_by_proxy(self, request: bytes) -> tuple[bytes, bool]:
        """After the server has done it."""
        await self._ask(request)
        return self._page(), True

    async def _refused(self, _request: bytes) -> tuple[bytes, bool]:
        return self._page(), True

    async def _sent_twice(self, request: bytes) -> tuple[bytes, bool]:
        """As a lower layer does that believes that the first has not arrived."""
        await self._ask(request)
        return await self._ask(request), True

    def _page(self) -> bytes:
        status = self._random.choice(_PAGES)
        body = f"<html><title>{status}</title></html>".encode()
        return (
            f"HTTP/1.1 {status} X\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )

    async def _ask(self, request: bytes) -> bytes:
        async with asyncio.timeout(ANSWER_MOST_S):
            reader, upstream = await asyncio.open_connection("127.0.0.1", self._target_port)
            try:
                upstream.write(request)
                await upstream.drain()
                return await _message(reader)
            finally:
                upstream.transport.abort()


async def _message(reader: asyncio.StreamReader) -> bytes:
    """A whole one, whose body has a length."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")), 0)
    return head + await reader.readexactly(length)
