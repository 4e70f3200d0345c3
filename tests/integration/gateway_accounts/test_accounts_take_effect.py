"""What one process changes, every other one must know within a second."""

import asyncio
import inspect
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import jwt
import pytest

from gateway.accounts.accounts import Accounts, open_accounts
from gateway.accounts.authentication import AccountAuthenticator
from gateway.accounts.cli import change_user, list_users
from gateway.accounts.errors import InvalidCredentials, UserNotFound
from gateway.accounts.principal import ApiKey, BearerToken, Credential, PlanId, Principal, UserId, UserStatus
from gateway.accounts.user import SessionId
from gateway.accounts.users import UserChange
from gateway.errors import InvalidApiKey, KeyExpired, TokenExpired, TokenRevoked
from gateway.tokens.rotation import rotate
from shared.clock import SystemClock

SUSPEND = UserChange(status=UserStatus.SUSPENDED)


async def authenticated(authenticator: AccountAuthenticator, credential: Credential) -> Principal:
    found = authenticator.authenticate(credential)
    return await found if inspect.isawaitable(found) else found


async def within_a_second(condition: Callable[[], Awaitable[bool]]) -> bool:
    """In fifty looks: a moment in which nothing runs at all is as long as any other."""
    for _ in range(50):
        if await condition():
            return True
        await asyncio.sleep(0.02)
    return await condition()


def not_expected() -> None:
    raise AssertionError("a background job of the accounts ended")


async def test_a_cached_credential_is_answered_without_waiting(gateway: Any) -> None:
    signed_up = await gateway.sign_up()
    token = BearerToken(signed_up["token"])
    authenticator = gateway.accounts.authenticator
    first = await authenticated(authenticator, token)

    again = authenticator.authenticate(token)

    assert isinstance(again, Principal)
    assert again == first
    assert again.user_id == signed_up["user"]["id"]
    assert again.org_id == signed_up["user"]["org_id"]
    assert again.key_id == jwt.decode(token.text, options={"verify_signature": False})["sid"]


async def test_a_suspended_user_is_returned_with_that_status_at_once(gateway: Any) -> None:
    signed_up = await gateway.sign_up()
    token = BearerToken(signed_up["token"])
    authenticator = gateway.accounts.authenticator
    await authenticated(authenticator, token)

    await gateway.suspend(signed_up["user"]["id"])

    assert (await authenticated(authenticator, token)).status is UserStatus.SUSPENDED
    assert await gateway.status_of(token.text) == (403, "user_suspended")


async def test_the_plan_of_the_account_counts_and_not_that_of_the_token(gateway: Any) -> None:
    signed_up = await gateway.sign_up()
    token = BearerToken(signed_up["token"])
    authenticator = gateway.accounts.authenticator
    assert (await authenticated(authenticator, token)).plan_id == "free"

    change = UserChange(plan_id=PlanId("pro"))
    await gateway.accounts.users.change(UserId(signed_up["user"]["id"]), change)

    assert (await authenticated(authenticator, token)).plan_id == "pro"


async def test_an_expired_token_is_refused_although_it_is_cached(gateway: Any) -> None:
    token = BearerToken((await gateway.sign_up())["token"])
    await authenticated(gateway.accounts.authenticator, token)

    gateway.clock.shift += 3600 + 31

    with pytest.raises(TokenExpired):
        await authenticated(gateway.accounts.authenticator, token)


async def test_a_logout_reaches_another_process_within_a_second(gateway: Any) -> None:
    signed_up = await gateway.sign_up()
    token = BearerToken(signed_up["token"])
    async with open_accounts(gateway.data_dir, 3600.0, SystemClock(), not_expected) as elsewhere:
        principal = await authenticated(elsewhere.authenticator, token)
        assert isinstance(elsewhere.authenticator.authenticate(token), Principal)

        await gateway.accounts.sign_in.logout(principal.user_id, SessionId(principal.key_id))

        async def is_refused() -> bool:
            try:
                await authenticated(elsewhere.authenticator, token)
            except TokenRevoked:
                return True
            return False

        assert await within_a_second(is_refused)


async def test_a_suspension_from_the_command_line_reaches_the_running_gateway(gateway: Any) -> None:
    token = (await gateway.sign_up("ann@example.com"))["token"]
    assert await gateway.status_of(token) == (200, None)

    user = await change_user(gateway.data_dir, "Ann@example.com", SUSPEND)

    assert user.status is UserStatus.SUSPENDED

    async def is_refused() -> bool:
        return bool(await gateway.status_of(token) == (403, "user_suspended"))

    assert await within_a_second(is_refused)


async def test_the_command_line_works_without_a_running_gateway(tmp_path: Path) -> None:
    assert await list_users(tmp_path / "data") == []
    with pytest.raises(UserNotFound):
        await change_user(tmp_path / "data", "ann@example.com", SUSPEND)
    with pytest.raises(UserNotFound):
        await change_user(tmp_path / "data", "user_unknown", SUSPEND)


async def test_a_password_change_also_ends_a_sign_in_that_was_being_checked(gateway: Any) -> None:
    """The old password was verified just before it was changed: the session may not start after that."""
    signed_up = await gateway.sign_up("ann@example.com")
    user_id = UserId(signed_up["user"]["id"])
    verified_hash = await gateway.accounts.users.password_hash(user_id)
    body = {"current_password": "correct horse battery staple", "new_password": "another long password"}
    await gateway.call("POST", "/mod/auth/password", body, token=signed_up["token"])

    with pytest.raises(InvalidCredentials):
        await gateway.accounts.sign_in._sessions.start(user_id, verified_hash)


async def test_a_process_that_was_too_far_behind_starts_afresh(gateway: Any) -> None:
    """The feed is pruned; whoever misses a part of it may not trust anything that it kept."""
    signed_up = await gateway.sign_up()
    token = BearerToken(signed_up["token"])
    async with open_accounts(gateway.data_dir, 3600.0, SystemClock(), not_expected) as elsewhere:
        await authenticated(elsewhere.authenticator, token)
        change = (
            "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]);"
            "c.execute('BEGIN IMMEDIATE');"
            "c.execute('UPDATE users SET status = \\'suspended\\'');"
            "c.executemany('INSERT INTO account_changes (user_id) VALUES (?)', [('nobody',)] * 9);"
            "c.execute('DELETE FROM account_changes WHERE position < (SELECT max(position) FROM account_changes)');"
            "c.commit()"
        )
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", change, str(gateway.data_dir / "accounts.db")
        )
        assert await process.wait() == 0

        async def is_suspended() -> bool:
            return (await authenticated(elsewhere.authenticator, token)).status is UserStatus.SUSPENDED

        assert await within_a_second(is_suspended)


async def test_a_new_signing_key_is_published_within_a_second_and_old_tokens_stay_valid(
    gateway: Any,
) -> None:
    token = (await gateway.sign_up("ann@example.com"))["token"]
    gateway.clock.shift += 1  # of two keys of the same moment either may be the newer
    rotation = await asyncio.to_thread(rotate, gateway.data_dir, 3600.0, gateway.clock.now())

    async def is_published() -> bool:
        keys = (await gateway.call("GET", "/.well-known/jwks.json")).body["keys"]
        return rotation.new in {key["kid"] for key in keys}

    # It is looked for once a second.
    assert await within_a_second(is_published) or await within_a_second(is_published)
    assert await gateway.status_of(token) == (200, None)
    gateway.clock.shift += 6
    new_token = (await gateway.login("ann@example.com", "correct horse battery staple")).body["token"]
    assert jwt.get_unverified_header(new_token)["kid"] == rotation.new
    assert await gateway.status_of(new_token) == (200, None)
    assert await gateway.status_of(token) == (200, None)


async def test_anyone_can_verify_a_token_with_the_published_keys(gateway: Any) -> None:
    signed_up = await gateway.sign_up()
    answer = await gateway.call("GET", "/.well-known/jwks.json")
    keys = jwt.PyJWKSet.from_dict(answer.body)
    kid = jwt.get_unverified_header(signed_up["token"])["kid"]

    claims = jwt.decode(
        signed_up["token"], keys[kid], algorithms=["EdDSA"], audience="hoster", issuer="apigate"
    )

    assert set(claims) == {"sub", "orgId", "plan", "sid", "iss", "aud", "iat", "exp"}
    assert claims["orgId"] == signed_up["user"]["org_id"]
    assert claims["exp"] - claims["iat"] == signed_up["expires_in"]


async def test_sessions_and_keys_survive_a_restart(tmp_path: Path) -> None:
    clock = SystemClock()

    async def sign_up(accounts: Accounts) -> tuple[BearerToken, ApiKey]:
        plan = PlanId("free")
        signed_in = await accounts.sign_in.register("ann@example.com", "", "long password", plan, "192.0.2.1")  # type: ignore[arg-type]  # normalised already
        user = signed_in.user
        _, key = await accounts.keys.create(user.id, "ci", None)
        token = accounts.tokens.issue(user.id, user.org_id, user.plan_id, signed_in.session)
        return BearerToken(token), ApiKey(key)

    async with open_accounts(tmp_path / "data", 3600.0, clock, not_expected) as accounts:
        credentials = await sign_up(accounts)
    async with open_accounts(tmp_path / "data", 3600.0, clock, not_expected) as accounts:
        users = {(await authenticated(accounts.authenticator, one)).user_id for one in credentials}

    assert len(users) == 1


async def test_the_files_of_the_accounts_are_private(gateway: Any) -> None:
    await gateway.sign_up()

    def modes() -> dict[str, int]:
        return {
            str(path.relative_to(gateway.data_dir)): os.stat(path).st_mode & 0o777  # noqa: PTH116 - of any kind of file
            for path in gateway.data_dir.rglob("*")
            if path.is_file()
        }

    found = await asyncio.to_thread(modes)
    assert "accounts.db" in found
    assert set(found.values()) == {0o600}


async def test_a_key_is_refused_after_its_end_although_it_is_cached(gateway: Any) -> None:
    signed_up = await gateway.sign_up()
    _, text = await gateway.accounts.keys.create(signed_up["user"]["id"], "ci", gateway.clock.now() + 30)
    await authenticated(gateway.accounts.authenticator, ApiKey(text))
    assert isinstance(gateway.accounts.authenticator.authenticate(ApiKey(text)), Principal)

    gateway.clock.shift += 31

    with pytest.raises(KeyExpired):
        gateway.accounts.authenticator.authenticate(ApiKey(text))


async def test_a_malformed_key_is_refused_without_a_look_up(gateway: Any) -> None:
    for text in ("ak_", "ak_" + "0" * 49, "ak_" + "é" * 49, "", "x" * 10_000):
        with pytest.raises(InvalidApiKey):
            gateway.accounts.authenticator.authenticate(ApiKey(text))
