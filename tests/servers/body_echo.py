"""An origin that answers any method on any path with the body it was sent; `python -m tests.servers.body_echo PORT` serves it."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web


async def _echo(request: web.BaseRequest) -> web.Response:
    return web.Response(body=await request.read())


@asynccontextmanager
async def body_echo(port: int = 0) -> AsyncIterator[int]:
    """Serves on loopback and gives the port."""
    runner = web.ServerRunner(web.Server(_echo, max_field_size=32768))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


async def _serve(port: int) -> None:
    async with body_echo(port):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
