"""What the control process finds out about upstreams holds in every relay process, old and new."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from aiohttp import web

from tests.integration.gateway_data.conftest import SignUp, Upstream, until
from tests.integration.gateway_processes.conftest import StartProcesses, kill, serving, until_all_serve


@dataclass
class Shop:
    url: str = ""
    healthy: bool = True
    visits: int = 0


@asynccontextmanager
async def shop() -> AsyncIterator[Shop]:
    """Answers every visit; only its health check says how it is."""
    here = Shop()

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/health":
            return web.Response(status=200 if here.healthy else 503)
        here.visits += 1
        return web.Response(text="hello")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    here.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield here
    await runner.cleanup()


async def test_a_target_that_is_unwell_is_passed_over_by_every_relay_process_also_by_a_new_one(
    start_processes: StartProcesses, sign_up: SignUp, upstream: Upstream
) -> None:
    async with shop() as well, shop() as unwell:
        unwell.healthy = False
        gateway = await start_processes()
        ada = await sign_up(gateway)
        await until_all_serve(ada)
        routes = gateway.routes.read_text()
        gateway.routes.write_text(routes.replace(f'["{upstream.url}"]', f'["{unwell.url}", "{well.url}"]'))

        async def is_degraded() -> bool:
            return bool((await ada.get("/health"))["upstreams"]["hoster"] == "degraded")

        await until(is_degraded)
        before = {relay["number"] for relay in await serving(ada)}
        kill((await serving(ada))[0]["pid"])
        await until_all_serve(ada)
        assert {relay["number"] for relay in await serving(ada)} != before
        unwell.visits = 0

        for _ in range(80):
            # A new connection each, so that every process has its share.
            async with aiohttp.ClientSession() as client, client.get(f"{gateway.url}/open") as response:
                assert response.status == 200

        assert (well.visits >= 80, unwell.visits) == (True, 0)
