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

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
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
            upstream_writer.close()
            back.cancel()
            with suppress(asyncio.CancelledError):
                await back

    path = folder / "engine.sock"
    server = await asyncio.start_unix_server(serve, path)
    async with server:
        yield f"unix://{path}", counted


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while octets := await reader.read(65536):
            writer.write(octets)
            await writer.drain()
    writer.close()
