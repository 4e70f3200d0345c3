"""A way to a TCP server on loopback that lets some connections through whole, and others only up to so many bytes."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Self

from tests.servers.closing import accept_no_more


class Door:
    """`most` is how many bytes of the client are let through, by the number of the connection, from 1; the others are whole."""

    def __init__(self, target_port: int, most: Mapping[int, int]) -> None:
        self._target_port = target_port
        self._most = most
        self._count = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._let_through, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await accept_no_more(self._server.sockets)
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _let_through(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._count += 1
        left = self._most.get(self._count)
        behind, before = await asyncio.open_connection("127.0.0.1", self._target_port)
        try:
            async with asyncio.TaskGroup() as both:
                back = both.create_task(_pour(behind, writer, None))
                await _pour(reader, before, left)
                back.cancel()
        finally:
            self._tasks.discard(task)
            before.transport.abort()
            writer.transport.abort()


async def _pour(source: asyncio.StreamReader, into: asyncio.StreamWriter, most: int | None) -> None:
    left = most
    with suppress(OSError):
        while left is None or left > 0:
            piece = await source.read(65_536 if left is None else left)
            if not piece:
                return
            into.write(piece)
            await into.drain()
            left = None if left is None else left - len(piece)
