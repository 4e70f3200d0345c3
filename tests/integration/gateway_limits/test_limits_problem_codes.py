"""Every problem code of the gateway, provoked from outside: who integrates with it can rely on all of them."""

import resource
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from gateway.accounts.principal import OrgId, PlanId, UserId, UserStatus
from gateway.accounts.users import UserChange
from gateway.tokens.claims import Claims, sign
from gateway.tokens.key_files import key_folder, read_keys
from shared.clock import SystemClock, rfc3339
from tests.conftest import wait_until
from tests.integration.gateway_limits.stage import PASSWORD, Reply, Stage, bearer, running_stage
from tests.servers.threaded_origin import threaded_origin

ROUTES = """
version: 1
default_plan: free
plans:
  free: {{requests_per_month: 100, rate_per_minute: 6000, burst: 100, limits: &none {{max_deployments: 1, max_cpu_cores: 1, max_memory_mb: 1, max_disk_mb: 1}}}}
  spent: {{requests_per_month: 0, rate_per_minute: 60, burst: 5, limits: *none}}
  slow: {{requests_per_month: 100, rate_per_minute: 1, burst: 1, limits: *none}}
upstreams:
  app: {{targets: ["http://127.0.0.1:{port}"]}}
  silent: {{targets: ["http://127.0.0.1:{port}"], response_timeout: 500ms}}
  gone: {{targets: ["http://127.0.0.1:1"], connect_timeout: 1s}}
routes:
  - {{name: bill, path: "/bill*", priority: 9, auth_required: true, billing: true, upstream: app}}
  - {{name: gone, path: "/gone", priority: 9, auth_required: false, upstream: gone}}
  - {{name: broken, path: "/broken", priority: 9, auth_required: false, upstream: app, path_rewrite: "params.nothing"}}
  - {{name: silent, path: "/silent", priority: 9, auth_required: false, upstream: silent}}
  - {{name: small, path: "/small", priority: 9, auth_required: false, upstream: app, max_body: 1KiB}}
  - {{name: private, path: "/private", priority: 8, auth_required: true, upstream: app}}
  - {{name: open, path: "/open*", priority: 7, auth_required: false, upstream: app}}
"""
NOBODY_PORT = 1
"""Nothing listens there: a Redis that is never reached."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("problem-codes")


@pytest.fixture(scope="module")
def origin_port() -> Iterator[int]:
    with threaded_origin() as port:
        yield port


@pytest.fixture(scope="module")
def stage(folder: Path, origin_port: int) -> Iterator[Stage]:
    with running_stage(folder / "local", ROUTES.format(port=origin_port)) as found:
        yield found


def signed_in(stage: Stage, name: str, *fields: str, target: str = "/private", method: str = "GET") -> Reply:
    return stage.ask(method, target, bearer(stage.sign_up(name)), *fields)


def private(*fields: str) -> Callable[[Stage], Reply]:
    return lambda stage: stage.ask("GET", "/private", *fields)


def public(method: str, target: str, *fields: str) -> Callable[[Stage], Reply]:
    return lambda stage: stage.ask(method, target, *fields)


def raw(text: str) -> Callable[[Stage], Reply]:
    return lambda stage: stage.say(text.encode("latin-1"))


def expired_token(stage: Stage) -> Reply:
    """Nobody waits for a real one to expire: this is signed with the gateway's own key."""
    now = int(SystemClock().now())
    claims = Claims(
        user_id=UserId("user_1"),
        org_id=OrgId("org_1"),
        plan_id=PlanId("free"),
        session_id="sess_1",
        issued_at=now - 7200,
        expires_at=now - 3600,
    )
    return stage.ask("GET", "/private", bearer(sign(read_keys(key_folder(stage.data_dir))[0], claims)))


def revoked_token(stage: Stage) -> Reply:
    token = stage.sign_up("leaves")
    assert stage.ask("POST", "/mod/auth/logout", bearer(token)).status == 204
    return stage.ask("GET", "/private", bearer(token))


def new_key(stage: Stage, token: str, **more: str) -> dict[str, str]:
    reply = stage.post("/mod/keys", {"name": "k", **more}, bearer(token))
    assert reply.status == 201, reply.body
    found: dict[str, str] = reply.problem
    return found


def revoked_key(stage: Stage) -> Reply:
    token = stage.sign_up("deletes")
    key = new_key(stage, token)
    assert stage.ask("DELETE", f"/mod/keys/{key['id']}", bearer(token)).status == 204
    return stage.ask("GET", "/private", f"X-API-Key: {key['key']}")


def expired_key(stage: Stage) -> Reply:
    token = stage.sign_up("forgets")
    ends = SystemClock().now() + 3
    key = new_key(stage, token, expires_at=rfc3339(ends))
    time.sleep(ends + 0.1 - SystemClock().now())
    return stage.ask("GET", f"/private?api_key={key['key']}")


def suspended(stage: Stage) -> Reply:
    token = stage.sign_up("suspended")
    stage.change("suspended", UserChange(status=UserStatus.SUSPENDED))
    return until_refused(lambda: stage.ask("GET", "/private", bearer(token)))


def with_plan(plan: str) -> Callable[[Stage], Reply]:
    def provoke(stage: Stage) -> Reply:
        token = stage.sign_up(plan)
        stage.change(plan, UserChange(plan_id=PlanId(plan)))
        return until_refused(lambda: stage.ask("POST", "/bill", bearer(token)))

    return provoke


def until_refused(ask: Callable[[], Reply]) -> Reply:
    """What another process has changed is in force a moment later."""
    replies: list[Reply] = []

    def is_refused() -> bool:
        replies.append(ask())
        return replies[-1].status != 200

    wait_until(is_refused)
    return replies[-1]


def journal_full(stage: Stage) -> Reply:
    token = stage.sign_up("unlucky")
    limits = partial(resource.prlimit, stage.process.pid, resource.RLIMIT_FSIZE)
    before = limits()
    limits((0, before[1]))
    try:
        return stage.ask("POST", "/bill", bearer(token))
    finally:
        limits(before)


def wrong_password(stage: Stage, who: str = "careless") -> Reply:
    return stage.post("/mod/auth/login", {"email": f"{who}@example.org", "password": "wrong" + PASSWORD})


def many_guesses(stage: Stage) -> Reply:
    """After a few each makes the next one wait longer: one of them comes too early, however slow they are."""
    replies = (wrong_password(stage, "guesser") for _ in range(20))
    return next(reply for reply in replies if reply.status != 401)


def taken(stage: Stage) -> Reply:
    stage.sign_up("twice")
    return stage.post("/mod/auth/register", {"email": "TWICE@example.org", "password": PASSWORD})


HEAD = "GET /open HTTP/1.1\r\nHost: gate.example\r\n"
WELL_FORMED = "ak_" + "0" * 48
CASES: dict[str, tuple[int, str, Callable[[Stage], Reply]]] = {
    "no Host": (400, "bad_request", raw("GET /open HTTP/1.1\r\n\r\n")),
    "two lengths": (400, "bad_request", raw(HEAD + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n")),
    "length and chunked": (
        400,
        "bad_request",
        raw(HEAD + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ),
    "a space before a colon": (400, "bad_request", raw(HEAD + "X-A : 1\r\n\r\n")),
    "not HTTP": (400, "bad_request", raw("hello\r\n\r\n")),
    "an encoded slash": (400, "bad_path", public("GET", "/open%2Fx")),
    "two credentials": (
        400,
        "conflicting_credentials",
        private(bearer("a.b.c"), f"X-API-Key: {WELL_FORMED}"),
    ),
    "no credential": (401, "missing_credentials", private()),
    "another scheme": (401, "missing_credentials", private("Authorization: Basic YTpi")),
    "no token of ours": (401, "invalid_token", private(bearer("a.b.c"))),
    "no key of ours": (401, "invalid_api_key", private(f"X-API-Key: {WELL_FORMED}")),
    "an expired token": (401, "token_expired", expired_token),
    "a token after logout": (401, "token_revoked", revoked_token),
    "an expired key": (401, "key_expired", expired_key),
    "a deleted key": (401, "key_revoked", revoked_key),
    "a wrong password": (401, "invalid_credentials", wrong_password),
    "a quota of none": (402, "quota_exceeded", with_plan("spent")),
    "a suspended user": (403, "user_suspended", suspended),
    "no route": (404, "route_not_found", public("GET", "/nowhere")),
    "no path of the gateway": (404, "not_found", public("GET", "/mod/nothing")),
    "administration": (
        404,
        "not_found",
        lambda stage: signed_in(stage, "curious", target="/mod/admin/users"),
    ),
    "CONNECT": (405, "method_not_allowed", raw("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n")),
    "TRACE": (405, "method_not_allowed", public("TRACE", "/open")),
    "a head that does not end": (408, "request_timeout", raw(HEAD)),
    "an address twice": (409, "email_taken", taken),
    "a body beyond the route's": (
        413,
        "body_too_large",
        raw("POST /small HTTP/1.1\r\nHost: gate.example\r\nContent-Length: 2000\r\n\r\n" + "x" * 2000),
    ),
    "a chunked body beyond the route's": (
        413,
        "body_too_large",
        raw(
            "POST /small HTTP/1.1\r\nHost: gate.example\r\nTransfer-Encoding: chunked\r\n\r\n"
            "7d0\r\n" + "x" * 2000 + "\r\n0\r\n\r\n"
        ),
    ),
    "a long target": (414, "uri_too_long", public("GET", "/" + "x" * 8192)),
    "another expectation": (417, "expectation_failed", public("GET", "/open", "Expect: a-miracle")),
    "no address": (
        422,
        "validation_failed",
        lambda stage: stage.post("/mod/auth/register", {"email": "x", "password": "short"}),
    ),
    "a rate used up": (429, "rate_limit_exceeded", with_plan("slow")),
    "too many guesses": (429, "too_many_attempts", many_guesses),
    "many fields": (431, "headers_too_large", public("GET", "/open", *(f"X-{n}: 1" for n in range(101)))),
    "a large field": (431, "headers_too_large", public("GET", "/open", "X-Large: " + "x" * 33_000)),
    "a rewrite that fails": (500, "rewrite_failed", public("GET", "/broken")),
    "nobody listens": (502, "upstream_error", public("GET", "/gone")),
    "the upstream hangs up": (502, "upstream_error", public("POST", "/open/hang-up")),
    "the upstream says nonsense": (502, "upstream_error", public("GET", "/open/garbage")),
    "the journal is full": (503, "journal_unavailable", journal_full),
    "the upstream is silent": (504, "upstream_timeout", public("GET", "/silent")),
    "another version": (505, "version_not_supported", raw("GET / HTTP/2.0\r\nHost: a\r\n\r\n")),
}
RETRY_AFTER = {"quota_exceeded", "rate_limit_exceeded", "too_many_attempts", "journal_unavailable"}


@pytest.mark.parametrize("case", CASES)
def test_each_refusal_is_a_problem_with_its_status_and_code(stage: Stage, case: str) -> None:
    status, code, provoke = CASES[case]

    reply = provoke(stage)

    assert (reply.status, reply.problem["code"]) == (status, code), reply
    _require_form(reply, code)


def test_billing_without_redis_is_counters_unavailable_and_nothing_else_is(
    folder: Path, origin_port: int
) -> None:
    routes = ROUTES.format(port=origin_port)
    with running_stage(folder / "redis", routes, REDIS_URL=f"redis://127.0.0.1:{NOBODY_PORT}") as stage:
        token = stage.sign_up("ada")
        billed = stage.ask("POST", "/bill", bearer(token))
        others = [
            stage.ask("GET", target, bearer(token)).status for target in ("/private", "/open", "/mod/auth/me")
        ]

    assert (billed.status, billed.problem["code"]) == (503, "counters_unavailable")
    assert int(billed.fields["retry-after"]) >= 1
    assert others == [200, 200, 200]


def test_a_refused_request_gives_nothing_of_its_credential_away(stage: Stage) -> None:
    """Neither in the answer nor in the log."""
    secret = "ak_" + "Secret0123" * 5
    replies = [
        stage.ask("GET", f"/private?api_key={secret}"),
        stage.ask("GET", "/private", bearer(secret)),
        stage.ask("GET", "/nowhere", f"X-API-Key: {secret}"),
        stage.ask("GET", f"/open%2F{secret}"),
    ]

    assert [reply.status for reply in replies] == [401, 401, 404, 400]
    assert all(secret.encode() not in reply.body for reply in replies)
    assert secret not in stage.log.read_text()


def _require_form(reply: Reply, code: str) -> None:
    problem = reply.problem
    assert reply.fields["content-type"] == "application/problem+json"
    assert problem["status"] == reply.status
    assert problem["request_id"] == reply.fields["x-request-id"]
    assert all(problem[name] for name in ("type", "title", "detail"))
    assert "Traceback" not in reply.body.decode()
    if reply.status == 401 and code != "invalid_credentials":
        assert reply.fields["www-authenticate"].startswith("Bearer")
    if code in RETRY_AFTER:
        assert int(reply.fields["retry-after"]) >= 1
    if code == "validation_failed":
        assert {fault["field"] for fault in problem["errors"]} == {"email", "password"}
    if code in {"bad_request", "request_timeout", "headers_too_large", "uri_too_long"}:
        assert reply.fields["connection"] == "close"
