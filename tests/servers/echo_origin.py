"""An aiohttp origin with a WebSocket echo and an event stream, as applications really write them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import WSMsgType, web


class EchoOrigin:
    """`events`: each item put here is one event; `gone`: the event stream's client has left; `closed`: the WebSocket's."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[bytes] = asyncio.Queue()
        self.gone = asyncio.Event()
        self.close_code: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        self.port = 0

    async def echo(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(max_msg_size=0, protocols=("chat",))
        await socket.prepare(request)
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await socket.send_str(message.data)
                elif message.type is WSMsgType.BINARY:
                    await socket.send_bytes(message.data)
        finally:
            if not self.close_code.done():
                self.close_code.set_result(socket.close_code)
        return socket

    async def stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        try:
            while True:
                await response.write(await self.events.get())
        except asyncio.CancelledError:
            self.gone.set()
            raise

    async def plain(self, _: web.Request) -> web.Response:
        return web.Response(text="plain")


@asynccontextmanager
async def echo_origin() -> AsyncIterator[EchoOrigin]:
    origin = EchoOrigin()
    app = web.Application()
    app.router.add_get("/echo", origin.echo)
    app.router.add_get("/events", origin.stream)
    app.router.add_get("/plain", origin.plain)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    origin.port = runner.addresses[0][1]
    try:
        yield origin
    finally:
        await runner.cleanup()
