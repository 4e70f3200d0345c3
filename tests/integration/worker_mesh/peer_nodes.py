"""Two nodes of the mesh and one registry, over real sockets and a real Redis."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web
from redis.asyncio import Redis as AsyncRedis
from yarl import URL

from shared.clock import SystemClock
from shared.ids import request_ids
from shared.relay.server import Relay
from shared.supervise import supervised
from tests.integration.worker_mesh.echo_app import EchoApp
from tests.integration.worker_mesh.eventually import eventually
from tests.integration.worker_mesh.test_worker_mesh import bearer, route
from tests.integration.worker_mesh.token_issuer import TokenIssuer
from worker.config import Config
from worker.mesh.director import MeshDirector
from worker.mesh.keys import MeshKeys
from worker.mesh.neighbours import neighbourhood
from worker.mesh.table import MeshTable, Visibility
from worker.mesh.tokens import MeshTokens
from worker.mesh.traffic import Traffic

PRIVATE, PUBLIC, SHARED, STOPPED = (
    "private-aaaa1111",
    "public-bbbb2222",
    "shared-cccc3333",
    "stopped-dddd4444",
)
DOMAIN, LIVE = "www.example.org", "live.example.org"


@dataclass(slots=True)
class LiveApp:
    """An app that takes bodies, streams and speaks WebSocket."""

    port: int = 0
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["LiveApp"]:
        app = web.Application(client_max_size=2**24)
        app.add_routes(
            [
                web.post("/length", self._length),
                web.get("/ws", self._echo),
                web.get("/stream", self._stream),
            ]
        )
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.port = runner.addresses[0][1]
        yield self
        await runner.cleanup()

    async def _length(self, request: web.Request) -> web.Response:
        return web.Response(text=str(len(await request.read())))

    async def _echo(self, request: web.Request) -> web.WebSocketResponse:
        websocket = web.WebSocketResponse()
        await websocket.prepare(request)
        async for message in websocket:
            await websocket.send_str(message.data)
        return websocket

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"piece 0\n")
        await self.go_on.wait()
        await response.write(b"piece 1\n")
        return response


@dataclass(frozen=True, slots=True)
class PeerNode:
    port: int
    table: MeshTable
    traffic: Traffic
    http: aiohttp.ClientSession

    @asynccontextmanager
    async def ask(
        self, host: str, headers: dict[str, str] | None = None, **more: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Again while the registry does not answer within the quarter of a second that it has."""
        while True:
            async with self.ask_once(host, headers, **more) as response:
                if response.status != 503 or (await response.json())["code"] != "registry_unavailable":
                    yield response
                    return

    @asynccontextmanager
    async def ask_once(
        self, host: str, headers: dict[str, str] | None = None, **more: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        method = more.pop("method", "GET")
        url = URL(f"http://127.0.0.1:{self.port}{more.pop('target', '/')}", encoded=True)
        async with self.http.request(
            method, url, headers={"Host": host, **(headers or {})}, **more
        ) as response:
            yield response

    async def status(self, host: str, headers: dict[str, str] | None = None) -> tuple[int, str]:
        async with self.ask(host, headers) as response:
            body = await response.json(content_type=None)
            return response.status, body.get("code", "echo")

    async def echo(self, host: str, headers: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
        async with self.ask(host, headers, **more) as response:
            assert response.status == 200, await response.text()
            answer: dict[str, Any] = await response.json(content_type=None)
            return answer


@asynccontextmanager
async def peer_node(
    name: str, redis_url: str, keys_url: str, http: aiohttp.ClientSession
) -> AsyncIterator[PeerNode]:
    clock = SystemClock()
    keys = MeshKeys(keys_url, http, clock)
    await keys.learn()
    table, tokens, traffic = MeshTable("zexio.internal", "zexio.app"), MeshTokens(keys, clock), Traffic()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        config = Config.from_env(
            {
                "WORKER_SECRET": "0123456789abcdef0123456789abcdef",
                "REDIS_URL": redis_url,
                "MESH_PORT": str(port),
                "MESH_ADVERTISE_IP": "127.0.0.1",
            }
        )
        async with AsyncExitStack() as stack:
            neighbours = await stack.enter_async_context(neighbourhood(config, name, table, tokens, clock))
            director = MeshDirector(table, tokens, traffic, 60.0, neighbours.elsewhere)
            relay = Relay(director, clock=clock, new_request_id=request_ids(clock))
            await relay.serve(listener)
            stack.push_async_callback(relay.close)
            deaths: list[str] = []
            await stack.enter_async_context(supervised(dict(neighbours.jobs), lambda: deaths.append(name)))
            yield PeerNode(port, table, traffic, http)
            assert deaths == []
            await relay.drain(5)


@dataclass(frozen=True, slots=True)
class Pair:
    """`home` runs the apps, `edge` none."""

    home: PeerNode
    edge: PeerNode
    app: EchoApp
    live: LiveApp
    issuer: TokenIssuer
    redis: AsyncRedis

    def bearer(self, org: str) -> dict[str, str]:
        return bearer(self.issuer.token(org))


@asynccontextmanager
async def pair_of_nodes(redis_url: str, http: aiohttp.ClientSession) -> AsyncIterator[Pair]:
    issuer = TokenIssuer()
    async with (
        AsyncRedis.from_url(redis_url, decode_responses=True) as redis,
        issuer.serving() as keys_url,
        EchoApp().listening() as app,
        LiveApp().listening() as live,
        peer_node("home", redis_url, keys_url, http) as home,
        peer_node("edge", redis_url, keys_url, http) as edge,
    ):
        lively = frozenset({LIVE})
        home.table.put(
            route("live-ffff6666", {"web": live}, visibility=Visibility.PUBLIC, public_hosts=lively)
        )
        home.table.put(route(PRIVATE, {"web": app, "api": app}))
        hosts = frozenset({f"{PUBLIC}.zexio.app", DOMAIN})
        home.table.put(route(PUBLIC, {"web": app}, visibility=Visibility.PUBLIC, public_hosts=hosts))
        home.table.allow({SHARED: ("org_a", frozenset({"org_friend"}))})
        home.table.put(route(SHARED, {"web": app}))
        home.table.put(route(STOPPED, {}))
        await eventually(lambda: known(redis, f"{SHARED}.zexio.app", f"{PUBLIC}.zexio.app", DOMAIN, LIVE))
        yield Pair(home, edge, app, live, issuer, redis)


async def unknown(redis: AsyncRedis, *hosts: str) -> bool:
    return await redis.exists(*(f"service:{host}" for host in hosts)) == 0


async def known(redis: AsyncRedis, *hosts: str) -> bool:
    return await redis.exists(*(f"service:{host}" for host in hosts)) == len(hosts)
