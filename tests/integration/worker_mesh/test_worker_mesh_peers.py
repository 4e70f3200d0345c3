"""Two nodes and one registry: what runs on one is reached through the other, and only by those who may."""

import asyncio

from tests.integration.worker_mesh.peer_nodes import (
    DOMAIN,
    LIVE,
    PRIVATE,
    PUBLIC,
    SHARED,
    STOPPED,
    Pair,
)


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
        assert (await websocket.receive(30)).data == "hello"


async def test_a_stream_arrives_piece_by_piece_through_both_nodes(pair: Pair) -> None:
    async with pair.edge.ask(LIVE, target="/stream") as response:
        first = await asyncio.wait_for(response.content.readany(), 10)

        assert first == b"piece 0\n"
        pair.live.go_on.set()
        assert await response.content.read() == b"piece 1\n"
