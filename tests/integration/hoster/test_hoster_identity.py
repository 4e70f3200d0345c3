import re

import pytest

from hoster.access import Access, Route
from hoster.app import ROUTES
from shared import identity
from shared.clock import SystemClock
from shared.identity import ANONYMOUS, SignedRequest
from tests.integration.hoster.conftest import IDENTITY_SECRET, User

VIEWER_ROUTES = [route for route in ROUTES if route.access is Access.VIEWER]
OF_A_DEPLOYMENT = [route for route in VIEWER_ROUTES if "/deployments/{id}" in route.path]
PUBLIC = {("GET", "/health"), ("GET", "/stats"), ("GET", "/assets/{name}"), ("GET", "/api/v1/openapi.json")}


def _target(path: str, identifier: str) -> str:
    return re.sub(r"\{[a-z_]+\}", identifier, path)


def test_only_the_routes_named_here_are_open() -> None:
    opened = {(route.method, route.path) for route in ROUTES if route.access is Access.PUBLIC}
    assert {route for route in opened if not route[1].startswith("/{path")} == PUBLIC
    assert {route.path for route in ROUTES if route.access is Access.NODE} == {
        "/nodes/v1/join",
        "/nodes/v1/heartbeat",
    }
    assert {route.path for route in ROUTES if route.access is Access.GATEWAY} == {
        "/internal/operations/{request_id}"
    }
    assert len(OF_A_DEPLOYMENT) >= 12


@pytest.mark.parametrize("route", VIEWER_ROUTES, ids=lambda route: f"{route.method} {route.path}")
async def test_without_an_identity_nothing_is_answered(user: User, route: Route) -> None:
    target = _target(route.path, "dep_1")
    answer = await user.ask_raw(route.method, target, None, {})
    assert (answer.status, answer.body["code"]) == (401, "identity_required")

    spoofed = await user.ask_raw(route.method, target, None, {"X-User-ID": "user_a", "X-Org-ID": "org_a"})
    assert (spoofed.status, spoofed.body["code"]) == (401, "identity_unverified")


@pytest.mark.usefixtures("worker")
async def test_a_stranger_is_told_the_same_as_when_there_is_nothing(
    user: User, stranger: User, hello_id: str
) -> None:
    created = await user.ask("POST", "/api/v1/deployments", {"name": "mine", "template_id": hello_id})
    await user.until(created.body["id"], "running")
    for route in OF_A_DEPLOYMENT:
        theirs = await stranger.ask(route.method, _target(route.path, created.body["id"]), {}, request_id="r")
        nothing = await stranger.ask(route.method, _target(route.path, "dep_nothing"), {}, request_id="r")
        assert theirs.status == 404, route
        assert theirs.raw == nothing.raw, route
        assert dict(theirs.headers).keys() == dict(nothing.headers).keys()
    assert (await user.ask("GET", f"/api/v1/deployments/{created.body['id']}")).body["status"] == "running"
    assert (await stranger.ask("GET", "/api/v1/deployments")).body["total"] == 0
    assert (await stranger.ask("GET", "/api/v1/billing/events")).body["total"] == 0


async def test_a_signature_is_for_one_method_target_identity_and_minute(user: User) -> None:
    me = "/api/v1/me"
    good = user.headers("GET", me, "r-1")
    assert (await user.ask_raw("GET", me, None, good)).status == 200
    changed = {
        "another user": {**good, identity.USER_ID: "user_b"},
        "another organisation": {**good, identity.ORG_ID: "org_b"},
        "better limits": {**good, identity.PLAN_LIMITS: '{"max_deployments":-1}'},
        "another request": {**good, identity.REQUEST_ID: "r-2"},
        "no signature": {name: value for name, value in good.items() if name != identity.SIGNATURE},
        "no user": {name: value for name, value in good.items() if name != identity.USER_ID},
        "another target": user.headers("GET", "/api/v1/deployments", "r-1"),
        "another method": user.headers("POST", me, "r-1"),
        "another query": user.headers("GET", me + "?a=1", "r-1"),
    }
    user.clock = _Shifted(-61)
    changed["too old"] = user.headers("GET", me, "r-1")
    for what, headers in changed.items():
        answer = await user.ask_raw("GET", me, None, headers)
        assert (answer.status, answer.body["code"]) == (401, "identity_unverified"), what


async def test_the_target_is_verified_as_it_was_sent(user: User) -> None:
    target = "/api/v1/templates?q=%e4%20b&&x=%2F&limit=10"
    assert (await user.ask("GET", target)).status == 200


async def test_a_header_given_twice_is_no_identity(user: User) -> None:
    headers = [*user.headers("GET", "/api/v1/me", "r-1").items(), (identity.USER_ID, "user_b")]
    answer = await user.ask_raw("GET", "/api/v1/me", None, headers)

    assert (answer.status, answer.body["code"]) == (401, "identity_unverified")


async def test_a_bad_identity_is_refused_on_public_routes_too(user: User) -> None:
    assert (await user.ask_raw("GET", "/health", None, {"X-User-ID": "user_a"})).status == 401
    assert (await user.ask_raw("GET", "/health", None, {})).status == 200


@pytest.mark.usefixtures("worker")
async def test_operations_are_told_to_the_gateway_alone(user: User, hello_id: str) -> None:
    await user.ask("POST", "/api/v1/deployments", {"name": "x", "template_id": hello_id}, request_id="req-7")
    target = "/internal/operations/req-7"
    signed = identity.sign(
        IDENTITY_SECRET.encode(), ANONYMOUS, SignedRequest("GET", target, "own"), int(user.clock.now())
    )
    gateway = {identity.SIGNATURE: signed, identity.REQUEST_ID: "own"}

    told = await user.ask_raw("GET", target, None, gateway)
    assert told.body == {"request_id": "req-7", "event_type": "deployment.created", "status": 202}
    unknown = identity.sign(
        IDENTITY_SECRET.encode(),
        ANONYMOUS,
        SignedRequest("GET", "/internal/operations/no", ""),
        int(user.clock.now()),
    )
    assert (
        await user.ask_raw("GET", "/internal/operations/no", None, {identity.SIGNATURE: unknown})
    ).status == 404
    for headers in ({}, {identity.SIGNATURE: "t=1,v1=aa"}, user.headers("GET", target, "own")):
        assert (await user.ask_raw("GET", target, None, headers)).status == 404
    me = {identity.SIGNATURE: identity.sign(
        IDENTITY_SECRET.encode(), ANONYMOUS, SignedRequest("GET", "/api/v1/me", ""), int(user.clock.now())
    )}  # fmt: skip
    assert (await user.ask_raw("GET", "/api/v1/me", None, me)).body["code"] == "identity_required"


async def test_unknown_paths_of_the_services_are_never_the_page(user: User) -> None:
    for path in ("/api/v1/nothing", "/api", "/nodes/v1/nothing", "/nodes/v1", "/internal/x", "/mod/auth/me"):
        answer = await user.ask_raw("GET", path, None, {})
        assert (answer.status, answer.headers["Content-Type"]) == (404, "application/problem+json"), path
    wrong_method = await user.ask_raw("PUT", "/api/v1/deployments", None, {})
    assert (wrong_method.status, wrong_method.body["code"]) == (405, "method_not_allowed")


async def test_bytes_that_are_no_text_are_refused_and_never_a_fault_of_ours(user: User) -> None:
    half_a_pair = await user.ask("POST", "/api/v1/nodes", {"name": "x\ud800"})
    assert (half_a_pair.status, half_a_pair.body["code"]) == (400, "bad_request")
    for target in ("/api/v1/templates?q=%ff%00", "/api/v1/templates/%ff", "/api/v1/deployments?cursor=%ff"):
        assert (await user.ask("GET", target)).status in {200, 404, 422}
    beat = await user.ask_raw(
        "POST", "/nodes/v1/heartbeat", {}, {"X-Node-ID": "node_\udcff", "X-Signature": "\udcff"}
    )
    assert (beat.status, beat.body["code"]) == (401, "invalid_signature")
    join = await user.ask_raw("POST", "/nodes/v1/join", {"token": "\ud800"}, {})
    assert join.status in {400, 422}


async def test_head_is_answered_like_get_and_as_protected(user: User) -> None:
    assert (await user.ask_raw("HEAD", "/health", None, {})).status == 200
    assert (await user.ask_raw("HEAD", "/api/v1/me", None, {})).status == 401
    assert (await user.ask("HEAD", "/api/v1/me")).status == 200


class _Shifted:
    def __init__(self, by: float) -> None:
        self._clock, self._by = SystemClock(), by

    def now(self) -> float:
        return self._clock.now() + self._by
