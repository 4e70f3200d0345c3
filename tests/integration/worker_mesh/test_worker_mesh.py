"""The mesh over real sockets: the real relay, real apps, a real key server."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from yarl import URL

from shared.clock import SystemClock
from shared.ids import request_ids
from shared.relay.server import Relay
from tests.free_ports import free_port
from tests.integration.worker_mesh.echo_app import EchoApp
from tests.integration.worker_mesh.eventually import eventually
from tests.integration.worker_mesh.movable_clock import MovableClock
from tests.integration.worker_mesh.token_issuer import TokenIssuer, unsigned
from worker.mesh.director import MeshDirector
from worker.mesh.keys import MeshKeys
from worker.mesh.table import Backend, MeshTable, ProjectRoute, Visibility
from worker.mesh.tokens import MeshTokens
from worker.mesh.traffic import Traffic

PRIVATE, PUBLIC, STOPPED = "private-aaaa1111", "public-bbbb2222", "stopped-cccc3333"
DOMAIN = "www.example.org"


@dataclass(frozen=True, slots=True)
class Mesh:
    port: int
    table: MeshTable
    traffic: Traffic
    keys: MeshKeys
    issuer: TokenIssuer
    app: EchoApp
    api: EchoApp
    http: aiohttp.ClientSession
    clock: MovableClock

    @asynccontextmanager
    async def ask(
        self, host: str, headers: dict[str, str] | None = None, target: str = "/", method: str = "GET"
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        url = URL(f"http://127.0.0.1:{self.port}{target}", encoded=True)
        async with self.http.request(method, url, headers={"Host": host, **(headers or {})}) as response:
            yield response

    async def status(self, host: str, headers: dict[str, str] | None = None) -> tuple[int, str]:
        """Status and problem code; `echo` when the app itself answered."""
        async with self.ask(host, headers) as response:
            body = await response.json(content_type=None)
            return response.status, body.get("code", "echo")

    async def echo(
        self, host: str, headers: dict[str, str] | None = None, target: str = "/"
    ) -> dict[str, Any]:
        async with self.ask(host, headers, target) as response:
            assert response.status == 200
            answer: dict[str, Any] = await response.json(content_type=None)
            return answer


def route(project: str, apps: dict[str, EchoApp], **changes: Any) -> ProjectRoute:
    backends = {name: Backend(name, "127.0.0.1", app.port, "r1") for name, app in apps.items()}
    given = {
        "project_id": project,
        "org_id": "org_a",
        "visibility": Visibility.PRIVATE,
        "public_hosts": frozenset({f"{project}.zexio.app"}),
        "web_service": "web",
        "backends": backends,
    }
    return ProjectRoute(**{**given, **changes})


@pytest.fixture
async def mesh(http: aiohttp.ClientSession) -> AsyncIterator[Mesh]:
    async with serving_mesh(http) as served:
        yield served


@asynccontextmanager
async def serving_mesh(http: aiohttp.ClientSession, response_timeout_s: float = 60.0) -> AsyncIterator[Mesh]:
    """`response_timeout_s` is how long an app may think."""
    clock = MovableClock()
    issuer = TokenIssuer()
    table = MeshTable("zexio.internal", "zexio.app")
    async with issuer.serving() as url, EchoApp().listening() as app, EchoApp().listening() as api:
        keys = MeshKeys(url, http, clock)
        await keys.learn()
        table.put(route(PRIVATE, {"web": app, "api": api}))
        table.allow({PRIVATE: ("org_a", frozenset({"org_friend"}))})
        table.put(route(PUBLIC, {"web": app}, visibility=Visibility.PUBLIC))
        table.put(route(STOPPED, {}, public_hosts=frozenset({f"{STOPPED}.zexio.app", DOMAIN})))
        traffic = Traffic()
        relay = Relay(
            MeshDirector(table, MeshTokens(keys, clock), traffic, response_timeout_s),
            clock=SystemClock(),
            new_request_id=request_ids(SystemClock()),
        )
        with socket.create_server(("127.0.0.1", 0)) as listener:
            await relay.serve(listener)
            yield Mesh(listener.getsockname()[1], table, traffic, keys, issuer, app, api, http, clock)
            await relay.drain(5)
            await relay.close()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


MINE, FRIEND, OTHER, BAD, EXPIRED, NONE = "mine", "friend", "other", "bad", "expired", "none"

ADMITTED = {
    NONE: (401, "missing_credentials"),
    BAD: (401, "invalid_token"),
    EXPIRED: (401, "token_expired"),
    OTHER: (403, "wrong_organisation"),
    MINE: (200, "echo"),
}
NOT_RUNNING = {**ADMITTED, MINE: (503, "project_unavailable")}
OPEN = dict.fromkeys((NONE, BAD, EXPIRED, OTHER, MINE), (200, "echo"))
UNKNOWN = dict.fromkeys((NONE, BAD, EXPIRED, OTHER, MINE), (404, "unknown_host"))

HOSTS = {
    f"{PRIVATE}.zexio.internal": {**ADMITTED, FRIEND: (200, "echo")},
    f"api.{PRIVATE}.zexio.internal": {**ADMITTED, FRIEND: (200, "echo")},
    f"nosuch.{PRIVATE}.zexio.internal": NOT_RUNNING,
    f"{PUBLIC}.zexio.internal": {**ADMITTED, FRIEND: (403, "wrong_organisation")},
    f"{PRIVATE}.zexio.app": ADMITTED,
    f"{PUBLIC}.zexio.app": OPEN,
    f"{STOPPED}.zexio.internal": NOT_RUNNING,
    f"{STOPPED}.zexio.app": NOT_RUNNING,
    DOMAIN: NOT_RUNNING,
    f"{PUBLIC.upper()}.Zexio.APP.:8090": OPEN,
    f"{PRIVATE}.ZEXIO.internal:80": ADMITTED,
    "nobody.zexio.app": UNKNOWN,
    "nobody.zexio.internal": UNKNOWN,
    f"a.api.{PRIVATE}.zexio.internal": UNKNOWN,
    f"x.{PUBLIC}.zexio.app": UNKNOWN,
    "zexio.internal": UNKNOWN,
    "zexio.app": UNKNOWN,
    "127.0.0.1": UNKNOWN,
    "[::1]:8090": UNKNOWN,
}


@pytest.mark.parametrize("host", HOSTS)
async def test_the_host_and_the_token_decide(mesh: Mesh, host: str) -> None:
    foreign = TokenIssuer().token()
    tokens = {
        BAD: foreign,
        EXPIRED: mesh.issuer.token(ttl=-31),
        OTHER: mesh.issuer.token("org_b"),
        FRIEND: mesh.issuer.token("org_friend"),
        MINE: mesh.issuer.token(),
    }
    for who, expected in HOSTS[host].items():
        asked = mesh.app.accepted + mesh.api.accepted
        headers = {} if who == NONE else bearer(tokens[who])

        assert await mesh.status(host, headers) == expected, who
        if expected[1] != "echo":
            assert mesh.app.accepted + mesh.api.accepted == asked, f"{who}: the app was connected to"


async def test_a_service_name_reaches_that_service(mesh: Mesh) -> None:
    await mesh.echo(f"api.{PRIVATE}.zexio.internal", bearer(mesh.issuer.token()))

    assert (mesh.app.accepted, mesh.api.accepted) == (0, 1)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "a.b.c",
        "." * 5000,
        "W1tb" * 2000 + ".e30.x",
        "x" * 9000,
        unsigned({"orgId": "org_a", "iss": "apigate", "aud": "hoster", "exp": 9999999999}),
    ],
)
async def test_what_is_no_token_is_refused(mesh: Mesh, token: str) -> None:
    status, code = await mesh.status(f"{PRIVATE}.zexio.internal", {"X-Mesh-Token": token or " "})

    assert (status, code) == (401, "invalid_token")


@pytest.mark.parametrize(
    "claims",
    [
        {"orgId": None},
        {"orgId": ""},
        {"orgId": ["org_a"]},
        {"orgId": "org_a\r\nX-User-ID: root"},
        {"iss": "somebody"},
        {"iss": None},
        {"aud": "elsewhere"},
        {"aud": None},
        {"exp": None},
        {"exp": "soon"},
        {"nbf": 9999999999},
    ],
    ids=str,
)
async def test_a_signed_token_with_wrong_claims_is_refused(mesh: Mesh, claims: dict[str, object]) -> None:
    token = mesh.issuer.token(**claims)  # type: ignore[arg-type]  # whatever a claim may be

    assert await mesh.status(f"{PRIVATE}.zexio.internal", bearer(token)) == (401, "invalid_token")


async def test_a_refusal_says_how_to_authenticate(mesh: Mesh) -> None:
    for headers, challenge in (
        ({}, 'Bearer realm="mesh"'),
        (bearer("x.y.z"), 'Bearer realm="mesh", error="invalid_token"'),
    ):
        async with mesh.ask(f"{PRIVATE}.zexio.internal", headers) as response:
            assert response.headers["WWW-Authenticate"] == challenge
            assert response.content_type == "application/problem+json"


async def test_leeway_is_thirty_seconds(mesh: Mesh) -> None:
    assert (await mesh.status(f"{PRIVATE}.zexio.internal", bearer(mesh.issuer.token(ttl=-20))))[0] == 200


async def test_the_app_sees_who_asks_but_never_the_token(mesh: Mesh) -> None:
    token = mesh.issuer.token()
    forged = {
        "X-User-ID": "root",
        "X_Org_Id": "org_z",
        "X-Forwarded-For": "6.6.6.6",
        "X-Forwarded-Port": "1",
        "X_Forwarded_Host": "evil",
        "Forwarded": "for=6.6.6.6",
        "X-Request-ID": "mine",
        "X-Plan-Limits": "{}",
        "X-Custom": "kept",
    }
    seen = await mesh.echo(f"{PRIVATE}.zexio.internal:80", {**bearer(token), **forged})
    fields = [(name.lower(), value) for name, value in seen["fields"]]
    values = dict(fields)

    assert len(values) == len(fields)
    assert token not in str(seen)
    assert values["x-user-id"] == "user_1"
    assert values["x-org-id"] == "org_a"
    assert values["x-forwarded-for"] == "127.0.0.1"
    assert values["x-forwarded-proto"] == "http"
    assert values["x-forwarded-host"] == values["host"] == f"{PRIVATE}.zexio.internal:80"
    assert values["x-custom"] == "kept"
    assert len(values["x-request-id"]) == 36
    assert not {
        "authorization",
        "forwarded",
        "x_org_id",
        "x_forwarded_host",
        "x-plan-limits",
        "x-forwarded-port",
    } & set(values)


async def test_an_app_may_use_bearer_tokens_of_its_own(mesh: Mesh) -> None:
    beside = {"X-Mesh-Token": mesh.issuer.token(), "Authorization": "Bearer of-the-app"}
    private = await mesh.echo(f"{PRIVATE}.zexio.app", beside)
    public = await mesh.echo(f"{PUBLIC}.zexio.app", {**beside, "X_Mesh_Token": "a", "X-User-ID": "root"})
    for seen in (private, public):
        names = {name.lower() for name, _ in seen["fields"]}

        assert ["Authorization", "Bearer of-the-app"] in seen["fields"]
        assert not {"x-mesh-token", "x_mesh_token"} & names
        assert ("x-user-id" in names) is (seen is private)


async def test_the_target_reaches_the_app_byte_for_byte(mesh: Mesh) -> None:
    target = "/a%2Fb/../c//d;e=1/%41?q=%20+x&&y[]=../"
    seen = await mesh.echo(f"{PUBLIC}.zexio.app", target=target)

    assert seen["line"] == f"GET {target} HTTP/1.1"


async def test_a_token_with_a_new_key_is_let_in_when_the_key_has_been_fetched(mesh: Mesh) -> None:
    host = f"{PRIVATE}.zexio.internal"
    mesh.issuer.keys["k2"] = Ed25519PrivateKey.generate()
    token = mesh.issuer.token(kid="k2")
    assert await mesh.status(host, bearer(token)) == (401, "invalid_token")
    mesh.clock.shift += 5

    assert await mesh.status(host, bearer(token)) == (200, "echo")


async def test_a_switch_waits_for_requests_that_chose_the_old_backend(mesh: Mesh) -> None:
    async def hold(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await mesh.app.release.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()

    mesh.app.answer = hold
    found = mesh.table.find(f"{PUBLIC}.zexio.app")
    assert found is not None
    old = found.backend
    assert old is not None
    waiting = asyncio.create_task(_text(mesh, f"{PUBLIC}.zexio.app"))

    async def entered() -> bool:
        return old.in_flight == 1

    await eventually(entered)
    mesh.table.put(route(PUBLIC, {"web": mesh.api}, visibility=Visibility.PUBLIC))
    await mesh.echo(f"{PUBLIC}.zexio.app")

    assert (mesh.api.accepted, old.in_flight, old.idle.is_set()) == (1, 1, False)
    mesh.app.release.set()
    assert await waiting == "ok"
    await asyncio.wait_for(old.idle.wait(), 30)


async def test_a_broken_app_is_502_and_leaves_its_backend(mesh: Mesh) -> None:
    async def reset(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    mesh.app.answer = reset
    assert await mesh.status(f"{PUBLIC}.zexio.app") == (502, "upstream_error")
    found = mesh.table.find(f"{PUBLIC}.zexio.app")
    assert found is not None
    assert found.backend is not None
    assert found.backend.in_flight == 0
    gone = Backend("web", "127.0.0.1", free_port(), "r2")
    mesh.table.put(route(PUBLIC, {}, visibility=Visibility.PUBLIC, backends={"web": gone}))
    assert await mesh.status(f"{PUBLIC}.zexio.app") == (502, "upstream_error")
    assert (gone.in_flight, gone.idle.is_set()) == (0, True)


async def test_a_slow_app_is_504_and_leaves_its_backend(http: aiohttp.ClientSession) -> None:
    async with serving_mesh(http, response_timeout_s=1.0) as mesh:

        async def think(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
            await mesh.app.release.wait()

        mesh.app.answer = think
        assert await mesh.status(f"{PUBLIC}.zexio.app") == (504, "upstream_timeout")
        mesh.app.release.set()
        found = mesh.table.find(f"{PUBLIC}.zexio.app")
        assert found is not None
        assert found.backend is not None
        assert found.backend.in_flight == 0


async def test_a_websocket_of_a_private_project_needs_a_token_and_goes_through(mesh: Mesh) -> None:
    async def shout(request: web.Request) -> web.WebSocketResponse:
        connection = web.WebSocketResponse()
        await connection.prepare(request)
        async for message in connection:
            await connection.send_str(f"{message.data}! {request.headers['X-Org-ID']}")
        return connection

    app = web.Application()
    app.router.add_get("/ws", shout)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    mesh.table.put(route(PRIVATE, {"web": EchoApp(port=runner.addresses[0][1])}))
    url = f"http://127.0.0.1:{mesh.port}/ws"
    host = {"Host": f"{PRIVATE}.zexio.internal"}

    with pytest.raises(aiohttp.WSServerHandshakeError, match="401"):
        await mesh.http.ws_connect(url, headers=host)
    async with mesh.http.ws_connect(url, headers={**host, **bearer(mesh.issuer.token())}) as connection:
        await connection.send_str("hey")
        assert await connection.receive_str(timeout=30) == "hey! org_a"
        found = mesh.table.find(host["Host"])
        assert found is not None
        assert found.backend is not None
        assert found.backend.in_flight == 1
    await asyncio.wait_for(found.backend.idle.wait(), 30)
    await runner.cleanup()


async def test_what_went_through_is_counted_for_its_project(mesh: Mesh) -> None:
    for _ in range(3):
        await mesh.echo(f"{PUBLIC}.zexio.app")
    await mesh.status(f"{PRIVATE}.zexio.app")
    numbers = mesh.traffic.numbers(PUBLIC)

    assert (numbers.total, numbers.by_class["2xx"]) == (3, 3)
    assert numbers.response_bytes > 0
    assert numbers.latency_p95_ms >= numbers.latency_mean_ms > 0
    assert mesh.traffic.numbers(PRIVATE).by_class["4xx"] == 1


async def _text(mesh: Mesh, host: str) -> str:
    async with mesh.ask(host) as response:
        return await response.text()
