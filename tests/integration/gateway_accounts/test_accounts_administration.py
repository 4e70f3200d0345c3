"""Administrators: whom they find, what they may change, and what is written down about it."""

import asyncio
import io
import json
from typing import Any

import pytest
import structlog

from gateway.accounts.principal import Role, UserId
from gateway.accounts.users import UserChange


async def promote(gateway: Any, email: str) -> tuple[str, str]:
    """The token and the id of a new administrator."""
    signed_in = await gateway.sign_up(email)
    user_id = signed_in["user"]["id"]
    await gateway.accounts.users.change(UserId(user_id), UserChange(role=Role.ADMIN))
    return signed_in["token"], user_id


@pytest.mark.parametrize("change", [{"role": "user"}, {"status": "suspended"}])
async def test_the_last_administrator_stays_one(gateway: Any, change: dict[str, str]) -> None:
    token, user_id = await promote(gateway, "root@example.com")

    refused = await gateway.call("PATCH", f"/mod/admin/users/{user_id}", change, token=token)
    shown = await gateway.call("GET", f"/mod/admin/users/{user_id}", token=token)

    assert (refused.status, refused.body["code"]) == (409, "last_administrator")
    assert (shown.body["role"], shown.body["status"]) == ("admin", "active")


async def test_of_two_administrators_who_demote_each_other_at_once_one_remains(gateway: Any) -> None:
    first, second = await promote(gateway, "a@example.com"), await promote(gateway, "b@example.com")

    answers = await asyncio.gather(
        gateway.call("PATCH", f"/mod/admin/users/{second[1]}", {"role": "user"}, token=first[0]),
        gateway.call("PATCH", f"/mod/admin/users/{first[1]}", {"role": "user"}, token=second[0]),
    )

    codes = sorted((answer.status, answer.body.get("code")) for answer in answers)
    assert codes[0] == (200, None)
    assert codes[1] in [(409, "last_administrator"), (404, "not_found")]
    users, _ = await gateway.accounts.users.page(10, None)
    assert sum(user.administrates for user in users) == 1


async def test_an_administrator_finds_users_by_what_they_are_called_and_what_they_are(gateway: Any) -> None:
    token, _ = await promote(gateway, "root@example.com")
    ann = (await gateway.sign_up("ann@example.com"))["user"]
    ben = (await gateway.sign_up("ben@shop.example"))["user"]
    await gateway.suspend(ben["id"])

    async def found(query: str) -> list[str]:
        answer = await gateway.call("GET", f"/mod/admin/users?{query}", token=token)
        assert answer.status == 200, answer.body
        return [user["email"] for user in answer.body["items"]]

    assert await found("q=ANN@") == ["ann@example.com"]
    assert await found(f"q={ann['org_id']}") == ["ann@example.com"]
    assert await found("q=example.com") == ["ann@example.com", "root@example.com"]
    assert await found("q=%25") == []
    assert await found("status=suspended") == ["ben@shop.example"]
    assert await found("role=admin") == ["root@example.com"]
    assert await found("plan_id=pro") == []
    refused = await gateway.call("GET", "/mod/admin/users?role=king&status=gone", token=token)
    assert [fault["field"] for fault in refused.body["errors"]] == ["role", "status"]


async def test_who_changed_what_is_in_the_log(gateway: Any) -> None:
    token, admin_id = await promote(gateway, "root@example.com")
    user = (await gateway.sign_up("ann@example.com"))["user"]
    written = io.StringIO()
    structlog.configure(
        processors=[structlog.processors.JSONRenderer()], logger_factory=structlog.PrintLoggerFactory(written)
    )
    try:
        await gateway.call("PATCH", f"/mod/admin/users/{user['id']}", {"plan_id": "pro"}, token=token)
    finally:
        structlog.reset_defaults()

    (line,) = [json.loads(line) for line in written.getvalue().splitlines() if "user_changed" in line]
    assert line == {
        "event": "user_changed",
        "by": admin_id,
        "user_id": user["id"],
        "changed": {"plan_id": ["free", "pro"]},
    }
