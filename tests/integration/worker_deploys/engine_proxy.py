"""Stands before the engine, can stop answering without being gone, and can keep a call from it for a while."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path


class EngineProxy:
    """`answering` is cleared to let every call hang, also those under way. Calls with `held` in their head wait until it is empty;
    `reached` is set when there is one.
    """

    def __init__(self, engine: str, path: Path) -> None:
        self.address = f"unix://{path}"
        self.answering = asyncio.Event()
        self.answering.set()
        self.held = b""
        self.reached = asyncio.Event()
        self._engine = engine.removeprefix("unix://")
        self._path = path
        self._open: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["EngineProxy"]:
        server = await asyncio.start_unix_server(self._serve, self._path)
        yield self
        server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            with suppress(OSError, asyncio.CancelledError):
                there, back = await asyncio.open_unix_connection(self._engine)
                try:
                    async with asyncio.TaskGroup() as both:
                        both.create_task(self._pass_on(reader, back))
                        both.create_task(self._pass_on(there, writer))
                finally:
                    back.close()
        finally:
            writer.close()
            self._open.discard(task)

    async def _pass_on(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while octets := await source.read(65_536):
                await self.answering.wait()
                while self.held and self.held in octets:
                    self.reached.set()
                    await asyncio.sleep(0.02)
                target.write(octets)
                await target.drain()
        target.close()
