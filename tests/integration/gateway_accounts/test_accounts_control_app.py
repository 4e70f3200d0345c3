import asyncio
import re
from collections.abc import Mapping
from typing import Any

import pytest

from gateway.accounts.key_format import new_key
from gateway.accounts.principal import Role, UserId
from gateway.accounts.users import UserChange
from gateway.metering.usage import UsageEvent

OPERATOR_TOKEN = "operator-token-operator-token-0123456789"


def event_of(user: Mapping[str, Any], event_id: str) -> UsageEvent:
    return UsageEvent(
        id=event_id,
        user_id=user["id"],
        org_id=user["org_id"],
        key_id="sess_1",
        plan_id=user["plan_id"],
        route="hoster-billing",
        method="POST",
        path="/api/v1/deployments",
        status=202,
        event_type="deployment_created",
        cost=1.0,
        latency_ms=12.5,
        request_bytes=100,
        response_bytes=200,
        created_at=1_795_000_000.123,
    )


async def make_key(gateway: Any, token: str, **body: Any) -> Any:
    answer = await gateway.call("POST", "/mod/keys", {"name": "ci", **body}, token=token)
    assert answer.status == 201, answer.body
    return answer.body


async def test_a_key_is_shown_once_and_then_only_its_prefix(gateway: Any) -> None:
    token = (await gateway.sign_up())["token"]

    made = await make_key(gateway, token, expires_at="2090-01-01T00:00:00Z")
    listed = (await gateway.call("GET", "/mod/keys", token=token)).body["items"]

    assert re.fullmatch(r"ak_[0-9A-Za-z]{40,}", made["key"])
    assert listed == [{name: value for name, value in made.items() if name != "key"}]
    assert set(listed[0]) == {"id", "name", "prefix", "created_at", "last_used_at", "expires_at"}
    assert made["key"].startswith(listed[0]["prefix"])
    assert listed[0]["expires_at"] == "2090-01-01T00:00:00.000Z"


async def test_a_key_works_in_all_three_places_until_it_is_deleted(gateway: Any) -> None:
    token = (await gateway.sign_up())["token"]
    made = await make_key(gateway, token)
    key = made["key"]

    async def answers() -> list[tuple[int, Any]]:
        found = [
            await gateway.call("GET", "/mod/auth/me", token=key),
            await gateway.call("GET", "/mod/auth/me", headers={"X-API-Key": key}),
            await gateway.call("GET", f"/mod/auth/me?api_key={key}"),
        ]
        return [(answer.status, answer.body.get("code")) for answer in found]

    assert await answers() == [(200, None)] * 3
    assert (await gateway.call("DELETE", f"/mod/keys/{made['id']}", token=token)).status == 204
    assert await answers() == [(401, "key_revoked")] * 3
    assert (await gateway.call("GET", "/mod/keys", token=token)).body["items"] == []


async def test_the_last_use_of_a_key_is_noted(gateway: Any) -> None:
    token = (await gateway.sign_up())["token"]
    made = await make_key(gateway, token)
    assert made["last_used_at"] is None
    await gateway.call("GET", "/mod/auth/me", token=made["key"])

    await gateway.accounts.authenticator.note_used_keys()

    (listed,) = (await gateway.call("GET", "/mod/keys", token=token)).body["items"]
    assert listed["last_used_at"] >= made["created_at"]


async def test_a_key_cannot_make_keys_nor_change_the_password(gateway: Any) -> None:
    key = (await make_key(gateway, (await gateway.sign_up())["token"]))["key"]

    for method, path in (
        ("POST", "/mod/keys"),
        ("DELETE", "/mod/keys/key_1"),
        ("POST", "/mod/auth/password"),
        ("POST", "/mod/auth/logout"),
    ):
        answer = await gateway.call(method, path, {}, token=key)
        assert (answer.status, answer.body["code"]) == (403, "session_required")


async def test_the_key_of_a_stranger_does_not_exist(gateway: Any) -> None:
    made = await make_key(gateway, (await gateway.sign_up("ann@example.com"))["token"])
    stranger = (await gateway.sign_up("bob@example.com"))["token"]

    answer = await gateway.call("DELETE", f"/mod/keys/{made['id']}", token=stranger)

    assert (answer.status, answer.body["code"]) == (404, "key_not_found")
    assert (await gateway.call("GET", "/mod/auth/me", token=made["key"])).status == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": "  "}, "name"),
        ({"name": "a\u0000"}, "name"),
        ({"name": "ci", "expires_at": "2001-01-01T00:00:00Z"}, "expires_at"),
        ({"name": "ci", "expires_at": "2090-01-01T00:00:00"}, "expires_at"),
        ({"name": "ci", "expires_at": 3786912000}, "expires_at"),
        ({"name": "ci", "scopes": []}, "scopes"),
    ],
)
async def test_a_bad_key_request_names_its_field(gateway: Any, body: dict[str, Any], field: str) -> None:
    token = (await gateway.sign_up())["token"]

    answer = await gateway.call("POST", "/mod/keys", body, token=token)

    assert (answer.status, answer.body["code"]) == (422, "validation_failed")
    assert [fault["field"] for fault in answer.body["errors"]] == [field]
    assert answer.body["errors"][0]["message"].startswith(("must ", "is "))


async def test_an_account_holds_a_bounded_number_of_keys_even_when_they_are_asked_for_at_once(
    gateway: Any,
) -> None:
    user = (await gateway.sign_up())["user"]
    for _ in range(98):
        await gateway.accounts.keys.create(user["id"], "ci", None)
    token = (await gateway.login("ann@example.com", "correct horse battery staple")).body["token"]

    answers = await asyncio.gather(
        *(gateway.call("POST", "/mod/keys", {"name": "ci"}, token=token) for _ in range(5))
    )

    assert sorted(answer.status for answer in answers) == [201, 201, 409, 409, 409]


async def test_each_kind_of_missing_or_bad_credential_has_its_code(gateway: Any) -> None:
    token = (await gateway.sign_up())["token"]

    async def code(**more: Any) -> tuple[int, str]:
        answer = await gateway.call("GET", "/mod/auth/me", **more)
        return answer.status, answer.body["code"]

    assert await code() == (401, "missing_credentials")
    assert await code(headers={"Authorization": "Basic YTpi"}) == (401, "missing_credentials")
    assert await code(token="rubbish") == (401, "invalid_token")
    assert await code(token=token[:-8] + "AAAAAAAA") == (401, "invalid_token")
    assert await code(token="ak_rubbish") == (401, "invalid_api_key")
    assert await code(token=new_key()) == (401, "invalid_api_key")
    assert await code(token=token, headers={"X-API-Key": new_key()}) == (400, "conflicting_credentials")
    gateway.clock.shift += 3631
    assert await code(token=token) == (401, "token_expired")


async def test_the_plans_are_shown_to_whoever_is_signed_in(gateway: Any) -> None:
    signed_up = await gateway.sign_up()

    plans = await gateway.call("GET", "/mod/plans", token=signed_up["token"])
    mine = (await gateway.call("GET", "/mod/auth/me", token=signed_up["token"])).body["plan"]

    assert mine in plans.body["items"]
    assert plans.body["default"] == signed_up["user"]["plan_id"]
    assert (await gateway.call("GET", "/mod/plans")).status == 401


async def test_usage_shows_the_period_the_limits_and_the_totals(gateway: Any) -> None:
    signed_up = await gateway.sign_up()
    gateway.books.kept.append(event_of(signed_up["user"], "req-1"))

    answer = await gateway.call("GET", "/mod/usage", token=signed_up["token"])

    assert set(answer.body) == {"period", "quota", "rate", "totals"}
    assert re.fullmatch(r"\d{4}-\d{2}", answer.body["period"])
    assert answer.body["quota"]["used"] == 1
    assert answer.body["totals"] == [{"event_type": "deployment_created", "count": 1, "cost": 1.0}]


async def test_usage_events_have_all_fields_come_in_pages_and_belong_to_their_user(gateway: Any) -> None:
    ann = await gateway.sign_up("ann@example.com")
    bob = await gateway.sign_up("bob@example.com")
    gateway.books.kept.extend(event_of(ann["user"], f"req-{number}") for number in range(3))

    async def page(token: str, query: str) -> Any:
        return (await gateway.call("GET", f"/mod/usage/events{query}", token=token)).body

    assert len((await page(ann["token"], "?limit=&cursor="))["items"]) == 3
    first = await page(ann["token"], "?limit=2&cursor=")
    second = await page(ann["token"], f"?limit=2&cursor={first['next_cursor']}")
    assert [event["id"] for event in first["items"] + second["items"]] == ["req-0", "req-1", "req-2"]
    assert second["next_cursor"] is None
    assert (await page(bob["token"], ""))["items"] == []
    assert first["items"][0] == {
        "id": "req-0",
        "user_id": ann["user"]["id"],
        "org_id": ann["user"]["org_id"],
        "key_id": "sess_1",
        "plan_id": "free",
        "route": "hoster-billing",
        "method": "POST",
        "path": "/api/v1/deployments",
        "status": 202,
        "event_type": "deployment_created",
        "cost": 1.0,
        "latency_ms": 12.5,
        "request_bytes": 100,
        "response_bytes": 200,
        "created_at": "2026-11-18T11:06:40.123Z",
    }


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "limit=-1", "cursor=rubbish"])
async def test_a_bad_page_is_refused(gateway: Any, query: str) -> None:
    token = (await gateway.sign_up())["token"]

    answer = await gateway.call("GET", f"/mod/usage/events?{query}", token=token)

    assert (answer.status, answer.body["errors"][0]["field"]) == (422, query.partition("=")[0])


async def test_administration_does_not_exist_for_users_and_works_for_administrators(gateway: Any) -> None:
    admin = await gateway.sign_up("root@example.com")
    user = await gateway.sign_up("ann@example.com")
    path = f"/mod/admin/users/{user['user']['id']}"
    for method, hidden, body in (
        ("GET", "/mod/admin/users", None),
        ("PATCH", path, {"role": "admin"}),
        ("GET", "/mod/admin/usage/events", None),
    ):
        answer = await gateway.call(method, hidden, body, token=user["token"])
        assert (answer.status, answer.body["code"]) == (404, "not_found")
    await gateway.accounts.users.change(UserId(admin["user"]["id"]), UserChange(role=Role.ADMIN))

    first = (await gateway.call("GET", "/mod/admin/users?limit=1", token=admin["token"])).body
    rest = (
        await gateway.call("GET", f"/mod/admin/users?cursor={first['next_cursor']}", token=admin["token"])
    ).body
    assert [one["email"] for one in first["items"] + rest["items"]] == ["ann@example.com", "root@example.com"]
    assert rest["next_cursor"] is None

    changed = await gateway.call(
        "PATCH", path, {"plan_id": "pro", "status": "suspended"}, token=admin["token"]
    )
    assert (changed.body["plan_id"], changed.body["status"], changed.body["role"]) == (
        "pro",
        "suspended",
        "user",
    )
    assert await gateway.status_of(user["token"]) == (403, "user_suspended")


@pytest.mark.parametrize(
    ("body", "field"),
    [({"plan_id": "gold"}, "plan_id"), ({"status": "gone"}, "status"), ({"email": "x@example.com"}, "email")],
)
async def test_an_administrator_can_set_only_what_exists(gateway: Any, body: Any, field: str) -> None:
    admin = await gateway.sign_up("root@example.com")
    await gateway.accounts.users.change(UserId(admin["user"]["id"]), UserChange(role=Role.ADMIN))
    path = f"/mod/admin/users/{admin['user']['id']}"

    answer = await gateway.call("PATCH", path, body, token=admin["token"])
    missing = await gateway.call("PATCH", "/mod/admin/users/user_0", {}, token=admin["token"])

    assert (answer.status, answer.body["errors"][0]["field"]) == (422, field)
    assert (missing.status, missing.body["code"]) == (404, "user_not_found")


async def test_health_is_open_and_is_503_while_draining(gateway: Any) -> None:
    up = await gateway.call("GET", "/health")
    gateway.reports.draining = True
    draining = await gateway.call("GET", "/health")

    assert up.status == 200
    assert up.body == {"status": "ok", "upstreams": {"hoster": {"healthy": 1}}, "counters": "local"}
    assert draining.status == 503


@pytest.mark.parametrize(
    ("forwarded_for", "bearer", "status"),
    [
        ("127.0.0.1", None, 200),
        ("::1", None, 200),
        ("::ffff:127.0.0.1", None, 200),
        ("203.0.113.7", None, 401),
        ("127.0.0.1, 203.0.113.7", None, 401),
        ("203.0.113.7, 127.0.0.1", None, 401),
        ("", None, 401),
        ("localhost", None, 401),
        ("203.0.113.7", OPERATOR_TOKEN, 200),
        ("203.0.113.7", OPERATOR_TOKEN + "x", 401),
        ("203.0.113.7", "é", 401),
    ],
)
async def test_stats_are_for_this_machine_and_for_the_operator(
    gateway: Any, forwarded_for: str, bearer: str | None, status: int
) -> None:
    answer = await gateway.call("GET", "/stats", token=bearer, headers={"X-Forwarded-For": forwarded_for})

    assert answer.status == status


async def test_an_unknown_path_or_method_is_a_problem_with_a_request_id(gateway: Any) -> None:
    nothing = await gateway.call("GET", "/mod/nothing")
    method = await gateway.call("DELETE", "/mod/auth/login")

    assert (nothing.status, nothing.body["code"]) == (404, "not_found")
    assert (method.status, method.body["code"]) == (405, "method_not_allowed")
    assert nothing.headers["X-Request-ID"] == nothing.body["request_id"]
    assert method.headers["Allow"] == "POST"
