"""Two nodes and one registry: what runs on one is reached through the other, and only by those who may."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import ConnectionError as RedisConnectionError
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
            director = MeshDirector(table, tokens, traffic, 5.0, neighbours.elsewhere)
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
    live: "LiveApp"
    issuer: TokenIssuer
    redis: AsyncRedis

    def bearer(self, org: str) -> dict[str, str]:
        return bearer(self.issuer.token(org))


@pytest.fixture
async def pair(redis_url: str, http: aiohttp.ClientSession) -> AsyncIterator[Pair]:
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
        await eventually(lambda: _known(redis, f"{SHARED}.zexio.app", f"{PUBLIC}.zexio.app", DOMAIN, LIVE))
        yield Pair(home, edge, app, live, issuer, redis)


async def _unknown(redis: AsyncRedis, *hosts: str) -> bool:
    return await redis.exists(*(f"service:{host}" for host in hosts)) == 0


async def _known(redis: AsyncRedis, *hosts: str) -> bool:
    return await redis.exists(*(f"service:{host}" for host in hosts)) == len(hosts)


async def test_the_registry_says_where_each_host_is_served(pair: Pair) -> None:
    entry = await pair.redis.hgetall(f"service:{PRIVATE}.zexio.internal")

    assert (entry["worker_ip"], entry["port"], entry["org_id"]) == ("127.0.0.1", str(pair.home.port), "org_a")
    assert 0 < await pair.redis.ttl(f"service:{PRIVATE}.zexio.internal") <= 30


async def test_what_runs_on_another_node_is_reached_with_the_visitors_own_token(pair: Pair) -> None:
    for host in (f"{PRIVATE}.zexio.app", f"{PRIVATE}.zexio.internal", f"api.{PRIVATE}.zexio.internal"):
        seen = (await pair.edge.echo(host, pair.bearer("org_a"), target="/a%2Fb?x=%20"))["fields"]
        fields = {name.lower(): value for name, value in seen}
        assert "authorization" not in fields
        assert not [name for name in fields if name.startswith("x-mesh-")]
        assert (fields["x-org-id"], fields["x-user-id"]) == ("org_a", "user_1")
        assert fields["x-forwarded-for"] == "127.0.0.1"
        assert fields["x-forwarded-host"] == host
    for host in (f"{PUBLIC}.zexio.app", DOMAIN):
        assert (await pair.edge.status(host)) == (200, "echo")
    numbers = pair.home.traffic.numbers(PRIVATE)
    assert (numbers.total, numbers.by_class["2xx"]) == (3, 3)
    assert pair.edge.traffic.numbers(PRIVATE).total == 0


REFUSED = [
    (f"{PRIVATE}.zexio.app", None, (401, "missing_credentials")),
    (f"{PRIVATE}.zexio.app", "org_b", (403, "wrong_organisation")),
    (f"{PRIVATE}.zexio.internal", "org_b", (403, "wrong_organisation")),
    (f"api.{PRIVATE}.zexio.internal", "org_b", (403, "wrong_organisation")),
    (f"{PUBLIC}.zexio.internal", None, (401, "missing_credentials")),
    (f"{PUBLIC}.zexio.internal", "org_b", (403, "wrong_organisation")),
    (f"{SHARED}.zexio.internal", "org_b", (403, "wrong_organisation")),
    (f"{STOPPED}.zexio.app", "org_a", (503, "project_unavailable")),
    (f"{STOPPED}.zexio.app", "org_b", (403, "wrong_organisation")),
    ("nobody.zexio.app", "org_a", (404, "unknown_host")),
]


async def test_another_organisation_is_refused_at_the_edge_and_no_connection_is_made(pair: Pair) -> None:
    answers = [
        (host, org, await pair.edge.status(host, {} if org is None else pair.bearer(org)))
        for host, org, _expected in REFUSED
    ]

    assert answers == REFUSED
    assert pair.app.accepted == 0
    assert await pair.edge.status(f"{SHARED}.zexio.internal", pair.bearer("org_friend")) == (200, "echo")


async def test_the_node_that_runs_the_app_checks_again_whatever_the_edge_believed(pair: Pair) -> None:
    await pair.redis.hset(f"service:{PRIVATE}.zexio.app", "org_id", "org_b")

    assert await pair.edge.status(f"{PRIVATE}.zexio.app", pair.bearer("org_b")) == (403, "wrong_organisation")
    assert pair.app.accepted == 0


async def test_a_request_is_passed_on_once(pair: Pair) -> None:
    lie = {"worker_ip": "127.0.0.1", "port": str(pair.home.port), "org_id": "org_a", "visibility": "public"}
    await pair.redis.hset("service:loop.example.org", mapping=lie)

    assert await pair.edge.status("loop.example.org") == (404, "unknown_host")
    assert await pair.edge.status(DOMAIN, {"X-Mesh-Hop": "mine"}) == (404, "unknown_host")


async def test_what_a_visitor_writes_about_itself_is_not_believed(pair: Pair) -> None:
    forged = {"X-Mesh-Hop": "1;203.0.113.9;req;00", "X-Forwarded-For": "203.0.113.9"}

    seen = (await pair.home.echo(DOMAIN, forged))["fields"]

    assert "203.0.113.9" not in str(seen)


async def test_a_body_and_a_websocket_go_through_both_nodes(pair: Pair) -> None:
    body = bytes(range(256)) * 4096
    async with pair.edge.ask(LIVE, method="POST", target="/length", data=body) as response:
        assert await response.text() == str(len(body))

    url = f"http://127.0.0.1:{pair.edge.port}/ws"
    async with pair.edge.http.ws_connect(url, headers={"Host": LIVE}) as websocket:
        await websocket.send_str("hello")
        assert (await websocket.receive(5)).data == "hello"


async def test_a_stream_arrives_piece_by_piece_through_both_nodes(pair: Pair) -> None:
    async with pair.edge.ask(LIVE, target="/stream") as response:
        first = await asyncio.wait_for(response.content.readany(), 2)

        assert first == b"piece 0\n"
        pair.live.go_on.set()
        assert await response.content.read() == b"piece 1\n"


async def test_what_is_stopped_or_deleted_is_told_alike_by_both_nodes(pair: Pair) -> None:
    host = f"{PUBLIC}.zexio.app"
    assert await pair.edge.status(host) == (200, "echo")

    pair.home.table.put(route(PUBLIC, {}, visibility=Visibility.PUBLIC))
    assert await pair.edge.status(host) == (503, "project_unavailable")
    pair.home.table.drop(PUBLIC)

    await eventually(lambda: _unknown(pair.redis, host, DOMAIN))
    assert await pair.edge.status(host) == (404, "unknown_host")


async def test_a_project_that_moves_is_found_where_it_runs(pair: Pair) -> None:
    host = f"{PUBLIC}.zexio.app"
    pair.home.table.put(route(PUBLIC, {}, visibility=Visibility.PUBLIC))
    pair.edge.table.put(route(PUBLIC, {"web": pair.app}, visibility=Visibility.PUBLIC))

    async def says_edge() -> bool:
        return await pair.redis.hget(f"service:{host}", "port") == str(pair.edge.port)

    await eventually(says_edge)
    pair.home.table.put(route(PUBLIC, {}, visibility=Visibility.PUBLIC))
    await asyncio.sleep(0.3)
    assert await says_edge()


async def test_a_host_of_another_organisation_is_not_taken_over(pair: Pair) -> None:
    pair.edge.table.put(
        route("thief-eeee5555", {"web": pair.app}, org_id="org_b", public_hosts=frozenset({DOMAIN}))
    )
    await eventually(lambda: _known(pair.redis, "thief-eeee5555.zexio.app"))

    assert await pair.redis.hget(f"service:{DOMAIN}", "org_id") == "org_a"


async def test_a_node_that_ends_takes_its_hosts_out_of_the_registry(
    redis_url: str, http: aiohttp.ClientSession
) -> None:
    async with (
        AsyncRedis.from_url(redis_url) as redis,
        TokenIssuer().serving() as keys_url,
        EchoApp().listening() as app,
    ):
        async with peer_node("home", redis_url, keys_url, http) as home:
            home.table.put(route(PRIVATE, {"web": app}))
            await eventually(lambda: _known(redis, f"{PRIVATE}.zexio.app"))

        assert await redis.keys("service:*") == []


async def test_without_the_registry_own_apps_go_on_known_ones_too_and_others_are_503(
    http: aiohttp.ClientSession, stoppable_redis: "StoppableRedis"
) -> None:
    issuer = TokenIssuer()
    async with (
        AsyncRedis.from_url(stoppable_redis.url) as redis,
        issuer.serving() as keys_url,
        EchoApp().listening() as app,
        peer_node("home", stoppable_redis.url, keys_url, http) as home,
        peer_node("edge", stoppable_redis.url, keys_url, http) as edge,
    ):
        home.table.put(route(PUBLIC, {"web": app}, visibility=Visibility.PUBLIC))
        await eventually(lambda: _known(redis, f"{PUBLIC}.zexio.app"))
        assert await edge.status(f"{PUBLIC}.zexio.app") == (200, "echo")
        await redis.aclose()

        for harm in (stoppable_redis.freeze, stoppable_redis.kill):
            harm()
            for _second in range(3):
                assert await home.status(f"{PUBLIC}.zexio.app") == (200, "echo")
                assert await edge.status(f"{PUBLIC}.zexio.app") == (200, "echo")
                started = asyncio.get_running_loop().time()
                assert await edge.status("other.zexio.app") == (503, "registry_unavailable")
                assert asyncio.get_running_loop().time() - started < 2
                await asyncio.sleep(1)


class StoppableRedis:
    """A Redis of the test's own, to be harmed."""

    def __init__(self, port: int) -> None:
        self.url = f"redis://127.0.0.1:{port}/0"
        self._port = port

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *("redis-server", "--port", str(self._port), "--bind", "127.0.0.1", "--save", ""),
            stdout=asyncio.subprocess.DEVNULL,
        )
        with Redis.from_url(self.url) as client:
            await eventually(lambda: asyncio.to_thread(_pings, client))

    def freeze(self) -> None:
        self._process.send_signal(19)

    def kill(self) -> None:
        self._process.kill()

    async def end(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()


def _pings(client: "Redis") -> bool:
    try:
        return bool(client.ping())
    except RedisConnectionError:
        return False


@pytest.fixture
async def stoppable_redis(redis_server: str, free_port: Callable[[], int]) -> AsyncIterator[StoppableRedis]:
    server = StoppableRedis(free_port())
    await server.start()
    yield server
    await server.end()
