"""A Unix socket in front of the container engine that counts who follows a log."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_FOLLOWS = re.compile(rb"GET [^ ]*/containers/[^ ]*/logs\?[^ ]*follow=1")
_REQUEST = re.compile(rb"(GET|POST|HEAD|DELETE|PUT) /")


@dataclass(slots=True)
class Followed:
    """Log streams that are open now, and the most that ever were at once."""

    now: int = 0
    most: int = 0


@asynccontextmanager
async def counting_engine(engine: str, folder: Path) -> AsyncIterator[tuple[str, Followed]]:
    """The address to use instead of `engine` (both `unix://`), and the count."""
    counted = Followed()
    connections: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(_forward(engine, reader, writer, counted))
        connections.add(task)
        task.add_done_callback(connections.discard)

    path = folder / "engine.sock"
    server = await asyncio.start_unix_server(serve, path)
    try:
        yield f"unix://{path}", counted
    finally:
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


async def _forward(
    engine: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, counted: Followed
) -> None:
    upstream_reader, upstream_writer = await asyncio.open_unix_connection(engine.removeprefix("unix://"))
    back = asyncio.create_task(_copy(upstream_reader, writer))
    following = False
    try:
        while octets := await reader.read(65536):
            if _REQUEST.match(octets):
                counted.now -= following
                following = _FOLLOWS.match(octets) is not None
                counted.now += following
                counted.most = max(counted.most, counted.now)
            upstream_writer.write(octets)
            await upstream_writer.drain()
    except ConnectionError:
        pass
    finally:
        counted.now -= following
        back.cancel()
        for end in (upstream_writer, writer):
            end.close()
            with suppress(ConnectionError):
                await end.wait_closed()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while octets := await reader.read(65536):
            writer.write(octets)
            await writer.drain()
    writer.close()
