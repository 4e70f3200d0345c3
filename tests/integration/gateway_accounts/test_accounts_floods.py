"""Old hashes, and crowds at the sign-in and the sign-up."""

import asyncio
from typing import Any

from argon2 import PasswordHasher

from gateway.accounts.sign_up_rate import AT_ONCE
from gateway.accounts.users import Users
from shared.database import Database
from tests.integration.gateway_accounts.conftest import PASSWORD

WEAK = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)


async def stored_hash(gateway: Any, user_id: str) -> str:
    return str(await gateway.accounts.users.password_hash(user_id))


async def weaken(gateway: Any, user_id: str) -> str:
    """As if the password had been stored by an earlier release."""
    users: Users = gateway.accounts.users
    database: Database = users._database
    weak = WEAK.hash(PASSWORD)
    async with database.transaction() as connection:
        await connection.execute("UPDATE users SET password_hash = ? WHERE id = ?", (weak, user_id))
    return weak


async def test_a_weak_hash_of_an_earlier_release_is_replaced_at_sign_in(gateway: Any) -> None:
    user = (await gateway.sign_up("ann@example.com"))["user"]
    weak = await weaken(gateway, user["id"])

    assert (await gateway.login("ann@example.com", "a wrong one")).status == 401
    assert await stored_hash(gateway, user["id"]) == weak
    assert (await gateway.login("ann@example.com", PASSWORD)).status == 200

    upgraded = await stored_hash(gateway, user["id"])
    assert "m=19456,t=2,p=1" in upgraded
    assert (await gateway.login("ann@example.com", PASSWORD)).status == 200
    assert await stored_hash(gateway, user["id"]) == upgraded


async def test_simultaneous_sign_ins_with_a_weak_hash_all_succeed(gateway: Any) -> None:
    user = (await gateway.sign_up("ann@example.com"))["user"]
    await weaken(gateway, user["id"])

    answers = await asyncio.gather(*(gateway.login("ann@example.com", PASSWORD) for _ in range(8)))

    assert [answer.status for answer in answers] == [200] * 8


async def test_sign_ups_from_one_address_are_bounded_and_others_go_on(gateway: Any) -> None:
    rate = gateway.accounts.sign_in._sign_up_rate
    for _ in range(AT_ONCE):
        rate.take("203.0.113.7")
    body = {"email": "one.more@example.com", "password": PASSWORD}

    refused = await gateway.call("POST", "/mod/auth/register", body)
    elsewhere = await gateway.call(
        "POST", "/mod/auth/register", body, headers={"X-Forwarded-For": "203.0.113.8"}
    )
    gateway.clock.shift += float(refused.headers["Retry-After"])
    later = await gateway.call("POST", "/mod/auth/register", {**body, "email": "later@example.com"})

    assert (refused.status, refused.body["code"]) == (429, "too_many_sign_ups")
    assert 1 <= int(refused.headers["Retry-After"]) <= 6
    assert (elsewhere.status, later.status) == (201, 201)
