"""Who gets in where: every route of the route table, called by everyone. A route without a row here fails."""

import json
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from yarl import URL

from hoster.access import Access, Route
from hoster.app import ROUTES
from shared import identity
from shared.identity import Identity, SignedRequest
from tests.fakes.hoster_worker import FakeWorker
from tests.integration.hoster.conftest import IDENTITY_SECRET, Hoster, User

DEPLOYMENTS, NODES, KEYS, TEMPLATES = (
    f"/api/v1/{name}" for name in ("deployments", "nodes", "ssh_keys", "templates")
)
PAGE = "/{path:(?!(?:api|assets|nodes/v1|internal|mod)(?:/|$)).*}"
ONE = DEPLOYMENTS + "/{id}"
TEMPLATE = {
    "name": "Mine", "compose": "services:\n  web:\n    image: nginx:1.27\n    expose: ['80']\n    x-web: true\n",
    "resources": {"cpu_cores": 0.1, "memory_mb": 64, "disk_mb": 64},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """What the owner is answered; `body` is what everyone sends."""

    owner: int
    body: Any = None


MATRIX = {
    ("GET", "/health"): Row(200),
    ("GET", "/stats"): Row(200),
    ("GET", "/api/v1/openapi.json"): Row(200),
    ("GET", "/api/v1/me"): Row(200),
    ("GET", "/api/v1/billing/events"): Row(200),
    ("GET", "/internal/operations/{request_id}"): Row(404),
    ("DELETE", "/internal/operations/{request_id}"): Row(404),
    ("POST", "/nodes/v1/join"): Row(401, {"token": "t", "address": "http://a", "capacity": {"cpu_cores": 1, "memory_mb": 1, "disk_mb": 1}}),
    ("POST", "/nodes/v1/heartbeat"): Row(401, {}),
    ("GET", PAGE): Row(200),
    ("GET", "/assets/{name}"): Row(404),
    ("GET", TEMPLATES): Row(200),
    ("POST", TEMPLATES): Row(201, TEMPLATE),
    ("GET", TEMPLATES + "/{id}"): Row(200),
    ("PATCH", TEMPLATES + "/{id}"): Row(200, {"description": "new"}),
    ("POST", TEMPLATES + "/{id}/unpublish"): Row(200),
    ("POST", TEMPLATES + "/{id}/publish"): Row(200),
    ("DELETE", TEMPLATES + "/{id}"): Row(204),
    ("GET", KEYS): Row(200),
    ("POST", KEYS): Row(201, {"name": "another"}),
    ("GET", KEYS + "/{id}"): Row(200),
    ("DELETE", KEYS + "/{id}"): Row(204),
    ("GET", NODES): Row(200),
    ("POST", NODES): Row(201, {"name": "another"}),
    ("GET", NODES + "/{id}"): Row(200),
    ("PATCH", NODES + "/{id}"): Row(200, {"name": "renamed"}),
    ("POST", NODES + "/{id}/maintenance"): Row(200),
    ("DELETE", NODES + "/{id}/maintenance"): Row(200),
    ("POST", NODES + "/{id}/bootstrap"): Row(422, {"ssh": {"host": "h", "user": "u", "ssh_key_id": "sshkey_" + "0" * 32}}),
    ("DELETE", NODES + "/{id}"): Row(204),
    ("GET", DEPLOYMENTS): Row(200),
    ("POST", DEPLOYMENTS): Row(202, {"name": "another", "source": {"image": "nginx", "port": 80}}),
    ("GET", ONE): Row(200),
    ("PATCH", ONE): Row(200, {"name": "renamed"}),
    ("POST", ONE + "/start"): Row(200),
    ("GET", ONE + "/wait"): Row(200),
    ("GET", ONE + "/releases"): Row(200),
    ("GET", ONE + "/deploys"): Row(200),
    ("GET", ONE + "/deploys/{deploy_id}"): Row(200),
    ("POST", ONE + "/rollback"): Row(422, {"release_id": "rel_never"}),
    ("GET", ONE + "/monitoring/health"): Row(200),
    ("GET", ONE + "/monitoring/stats"): Row(200),
    ("GET", ONE + "/monitoring/logs"): Row(200),
    ("GET", ONE + "/monitoring/events"): Row(200),
    ("GET", ONE + "/monitoring/stats/stream"): Row(200),
    ("GET", ONE + "/monitoring/logs/stream"): Row(200),
    ("GET", ONE + "/monitoring/events/stream"): Row(200),
    ("GET", ONE + "/monitoring/stream"): Row(200),
    ("GET", ONE + "/domains"): Row(200),
    ("POST", ONE + "/domains"): Row(201, {"hostname": "another.example.com"}),
    ("POST", ONE + "/domains/{hostname}/verify"): Row(409),
    ("DELETE", ONE + "/domains/{hostname}"): Row(204),
    ("POST", ONE + "/redeploy"): Row(202),
    ("POST", ONE + "/restart"): Row(202),
    ("POST", ONE + "/stop"): Row(202),
    ("DELETE", ONE): Row(202),
}  # fmt: skip

EVERYONES_OWN = frozenset({"/api/v1/me", "/api/v1/billing/events", DEPLOYMENTS, NODES, KEYS, TEMPLATES})
"""Routes without an id: a stranger gets an answer about itself."""


def test_every_route_has_a_row_and_every_row_a_route() -> None:
    assert {(route.method, route.path) for route in ROUTES} == set(MATRIX)


@pytest.fixture
async def things(user: User, worker: FakeWorker, hello_id: str) -> dict[str, str]:
    """Ids of the owner's, by the collection that they are in."""
    deployment = (await user.ask("POST", DEPLOYMENTS, {"name": "secret plan", "template_id": hello_id})).body[
        "id"
    ]
    await user.until(deployment, "running")
    claimed = await user.ask(
        "POST", f"{DEPLOYMENTS}/{deployment}/domains", {"hostname": "secret.example.com"}
    )
    assert claimed.status == 201
    return {
        DEPLOYMENTS: deployment,
        NODES: (await user.ask("POST", NODES, {"name": "secret node"})).body["id"],
        KEYS: (await user.ask("POST", KEYS, {"name": "secret key"})).body["id"],
        TEMPLATES: (await user.ask("POST", TEMPLATES, {**TEMPLATE, "name": "secret template"})).body["id"],
    }


@dataclass
class Caller:
    """Sends every request as it is told to, and does not wait for streams to end."""

    hoster: Hoster
    session: aiohttp.ClientSession
    things: dict[str, str]

    def target(self, path: str) -> str:
        collection = next((name for name in self.things if path.startswith(name)), "")
        return (
            path.replace(PAGE, "/")
            .replace("{id}", self.things.get(collection, ""))
            .replace("{hostname}", "secret.example.com")
            .replace("{name}", "start.css")
            .replace("{request_id}", "r-1")
            .replace("{deploy_id}", "deploy-1")
        )

    async def status(self, route: Route, headers: dict[str, str]) -> tuple[int, str, bytes]:
        """With the problem's code, and the body unless it is a stream."""
        body = MATRIX[route.method, route.path].body
        url = URL(self.hoster.base_url + self.target(route.path), encoded=True)
        data = None if body is None else json.dumps(body)
        async with self.session.request(route.method, url, data=data, headers=headers) as response:
            if response.content_type == "text/event-stream":
                response.close()
                return response.status, "", b""
            raw = await response.read()
            code = json.loads(raw)["code"] if response.content_type == "application/problem+json" else ""
            return response.status, code, raw


@pytest.fixture
async def caller(hoster: Hoster, session: aiohttp.ClientSession, things: dict[str, str]) -> Caller:
    return Caller(hoster, session, things)


def _said(route: Route, what: object) -> str:
    return f"{route.method} {route.path}: {what}"


async def test_nobody_gets_in_without_an_identity(caller: Caller) -> None:
    wrong = []
    for route in ROUTES:
        status, code, _ = await caller.status(route, {})
        expected = {
            Access.VIEWER: status == 401 and code == "identity_required",
            Access.GATEWAY: status == 404,
            Access.NODE: status == 401,
            Access.PUBLIC: status == MATRIX[route.method, route.path].owner,
        }[route.access]
        if not expected:
            wrong.append(_said(route, (status, code)))
    assert wrong == []


@pytest.mark.parametrize("flaw", ["forged", "old", "another request", "without signature"])
async def test_nobody_gets_in_with_a_signature_that_is_not_of_now_and_of_this_request(
    caller: Caller, user: User, flaw: str
) -> None:
    wrong = []
    for route in ROUTES:
        headers = _flawed(user, route.method, caller.target(route.path), flaw)
        status, code, _ = await caller.status(route, headers)
        hidden = (
            status == 404
            if route.access is Access.GATEWAY
            else (status, code) == (401, "identity_unverified")
        )
        if not hidden:
            wrong.append(_said(route, (status, code)))
    assert wrong == []


def _flawed(user: User, method: str, target: str, flaw: str) -> dict[str, str]:
    headers = user.headers(method, target, "r-1")
    who = Identity(
        user_id=user.user_id, org_id=user.org_id, plan_id="pro", plan_limits=user.limits, key_id="sess_1"
    )
    now = int(user.clock.now())
    match flaw:
        case "forged":
            signed = identity.sign(b"x" * 40, who, SignedRequest(method, target, "r-1"), now)
        case "old":
            signed = identity.sign(
                IDENTITY_SECRET.encode(), who, SignedRequest(method, target, "r-1"), now - 61
            )
        case "another request":
            signed = identity.sign(
                IDENTITY_SECRET.encode(), who, SignedRequest(method, target + "x", "r-1"), now
            )
        case _:
            return {name: text for name, text in headers.items() if name != identity.SIGNATURE}
    return {**headers, identity.SIGNATURE: signed}


async def test_to_a_stranger_what_is_not_its_own_does_not_exist(
    caller: Caller, stranger: User, worker: FakeWorker, hello_id: str
) -> None:
    before = len(worker.calls)
    wrong = []
    for route in ROUTES:
        if route.access is not Access.VIEWER:
            continue
        headers = stranger.headers(route.method, caller.target(route.path), f"r-{route.method}-{route.path}")
        status, _, raw = await caller.status(route, headers)
        expected = MATRIX[route.method, route.path].owner if route.path in EVERYONES_OWN else 404
        if status != expected or b"secret" in raw:
            wrong.append(_said(route, (status, raw[:200])))
    assert wrong == []
    touched = [
        target for method, target in worker.calls[before:] if method != "GET" and "secret-plan" in target
    ]
    assert touched == []


async def test_the_owner_gets_in_everywhere(caller: Caller, user: User) -> None:
    """In the order of the table: what is deleted is deleted last."""
    wrong = []
    by_name = {(route.method, route.path): route for route in ROUTES}
    for name, row in MATRIX.items():
        route = by_name[name]
        headers = user.headers(route.method, caller.target(route.path), f"r-{route.method}-{route.path}")
        status, code, raw = await caller.status(route, headers)
        if name[1].endswith(("/restart", "/redeploy")):
            await user.until(caller.things[DEPLOYMENTS], "running")
        if status != row.owner:
            wrong.append(_said(route, (status, code, raw[:200])))
    assert wrong == []
