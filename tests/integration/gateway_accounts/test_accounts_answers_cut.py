"""What is still being relayed ends with the credential that let it in: whatever ends that, and nothing else."""

import asyncio
import inspect
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.accounts.accounts import Accounts, open_accounts
from gateway.accounts.answer_watch import AnswerWatch
from gateway.accounts.cli import change_user
from gateway.accounts.ongoing_answers import YOUNG_S, Ongoing
from gateway.accounts.principal import ApiKey, BearerToken, Credential, PlanId, Principal, UserStatus
from gateway.accounts.users import UserChange
from shared.database import Database
from tests.integration.gateway_accounts.conftest import PASSWORD, TOKEN_LIFE_S, MovableClock

PATIENCE_S = 30.0
"""Two seconds are promised, and measured by `tests.bench.revocation`; a machine with other work may take longer."""
LEEWAY_S = 30
PAUSE_S = 0.6
"""Longer than a change takes to be noticed."""


class RelayedAnswer:
    """An answer as the relay has one, that is young no more."""

    def __init__(self, accounts: Accounts, clock: MovableClock) -> None:
        self._accounts = accounts
        self._clock = clock
        self._ongoing: Ongoing | None = None
        self.is_cut = asyncio.Event()

    async def begin(self, credential: Credential) -> "RelayedAnswer":
        found = self._accounts.authenticator.authenticate(credential)
        principal = await found if inspect.isawaitable(found) else found
        return self.begun_by(principal)

    def begun_by(self, principal: Principal) -> "RelayedAnswer":
        self._ongoing = self._accounts.ongoing_answers.begun(principal, self)
        self._clock.shift += YOUNG_S
        return self

    def cut(self) -> None:
        assert self._ongoing is not None
        self._accounts.ongoing_answers.over(self._ongoing)
        self.is_cut.set()

    async def ends(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            await self.is_cut.wait()


def not_expected() -> None:
    raise AssertionError("a background job of the accounts ended")


@asynccontextmanager
async def another_process(gateway: Any) -> AsyncIterator[Accounts]:
    async with open_accounts(gateway.data_dir, TOKEN_LIFE_S, gateway.clock, not_expected) as accounts:
        yield accounts


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_a_logout_ends_the_answers_of_its_own_session_in_every_process(
    gateway: Any, *, elsewhere: bool
) -> None:
    token = (await gateway.sign_up())["token"]
    other = (await gateway.login("ann@example.com", PASSWORD)).body["token"]
    bobs = (await gateway.sign_up("bob@example.com"))["token"]
    async with another_process(gateway) as accounts:
        relay = accounts if elsewhere else gateway.accounts
        mine, others, somebody_elses = [
            await RelayedAnswer(relay, gateway.clock).begin(BearerToken(text))
            for text in (token, other, bobs)
        ]

        assert (await gateway.call("POST", "/mod/auth/logout", token=token)).status == 204

        await mine.ends()
        await asyncio.sleep(PAUSE_S)
        assert not others.is_cut.is_set()
        assert not somebody_elses.is_cut.is_set()
        assert len(relay.ongoing_answers) == 2


async def test_a_new_password_ends_the_answers_of_all_other_sessions(gateway: Any) -> None:
    token = (await gateway.sign_up())["token"]
    other = (await gateway.login("ann@example.com", PASSWORD)).body["token"]
    own, others = [
        await RelayedAnswer(gateway.accounts, gateway.clock).begin(BearerToken(text))
        for text in (token, other)
    ]

    body = {"current_password": PASSWORD, "new_password": "another long password"}
    assert (await gateway.call("POST", "/mod/auth/password", body, token=token)).status == 204

    await others.ends()
    await asyncio.sleep(PAUSE_S)
    assert not own.is_cut.is_set()


async def test_a_renewed_session_ends_the_answers_of_the_old_one(gateway: Any) -> None:
    token = (await gateway.sign_up())["token"]
    old = await RelayedAnswer(gateway.accounts, gateway.clock).begin(BearerToken(token))

    renewed = await gateway.call("POST", "/mod/auth/refresh", token=token)
    new = await RelayedAnswer(gateway.accounts, gateway.clock).begin(BearerToken(renewed.body["token"]))

    await old.ends()
    await asyncio.sleep(PAUSE_S)
    assert not new.is_cut.is_set()


async def test_a_deleted_key_ends_its_answers_and_another_key_goes_on(gateway: Any) -> None:
    token = (await gateway.sign_up())["token"]
    keys = [
        (await gateway.call("POST", "/mod/keys", {"name": name}, token=token)).body for name in ("a", "b")
    ]
    mine, others = [
        await RelayedAnswer(gateway.accounts, gateway.clock).begin(ApiKey(key["key"])) for key in keys
    ]

    assert (await gateway.call("DELETE", f"/mod/keys/{keys[0]['id']}", token=token)).status == 204

    await mine.ends()
    await asyncio.sleep(PAUSE_S)
    assert not others.is_cut.is_set()


async def test_a_suspension_from_the_command_line_ends_all_answers_of_the_user(gateway: Any) -> None:
    token = (await gateway.sign_up())["token"]
    key = (await gateway.call("POST", "/mod/keys", {"name": "a"}, token=token)).body["key"]
    answers = [
        await RelayedAnswer(gateway.accounts, gateway.clock).begin(credential)
        for credential in (BearerToken(token), ApiKey(key))
    ]

    await change_user(gateway.data_dir, "ann@example.com", UserChange(status=UserStatus.SUSPENDED))

    for answer in answers:
        await answer.ends()


async def test_another_plan_ends_nothing(gateway: Any) -> None:
    token = (await gateway.sign_up())["token"]
    answer = await RelayedAnswer(gateway.accounts, gateway.clock).begin(BearerToken(token))

    await change_user(gateway.data_dir, "ann@example.com", UserChange(plan_id=PlanId("pro")))

    await asyncio.sleep(2 * PAUSE_S)
    assert not answer.is_cut.is_set()


async def test_a_session_that_ended_while_its_request_was_under_way_has_no_answer_for_long(
    gateway: Any,
) -> None:
    """The logout is over before the head of the answer comes: nobody tells of it any more."""
    token = (await gateway.sign_up())["token"]
    principal = await gateway.accounts.authenticator.authenticate(BearerToken(token))
    assert (await gateway.call("POST", "/mod/auth/logout", token=token)).status == 204
    await asyncio.sleep(PAUSE_S)
    answer = RelayedAnswer(gateway.accounts, gateway.clock).begun_by(principal)

    await answer.ends()


@pytest.mark.parametrize("kind", ["token", "key"])
async def test_an_answer_ends_when_a_new_request_would_be_refused_as_expired(gateway: Any, kind: str) -> None:
    token = (await gateway.sign_up())["token"]
    life_s, leeway_s = (TOKEN_LIFE_S, LEEWAY_S) if kind == "token" else (600, 0)
    credential: Credential = BearerToken(token)
    if kind == "key":
        me = (await gateway.call("GET", "/mod/auth/me", token=token)).body["user"]["id"]
        credential = ApiKey((await gateway.accounts.keys.create(me, "a", gateway.clock.now() + life_s))[1])
    answer = await RelayedAnswer(gateway.accounts, gateway.clock).begin(credential)
    gateway.clock.shift += life_s + leeway_s - 60
    await asyncio.sleep(PAUSE_S)
    assert not answer.is_cut.is_set()

    gateway.clock.shift += 62

    await answer.ends()
    assert len(gateway.accounts.ongoing_answers) == 0


async def test_while_the_accounts_cannot_be_read_a_doubt_is_kept(gateway: Any, tmp_path: Path) -> None:
    answers = gateway.accounts.ongoing_answers
    token = (await gateway.sign_up())["token"]
    answer = await RelayedAnswer(gateway.accounts, gateway.clock).begin(BearerToken(token))
    await asyncio.sleep(PAUSE_S)
    database = await Database.open(tmp_path / "without_tables.db", tmp_path / "no_migrations")
    try:
        # From here to what is kept nothing lets the accounts' own watch take it first.
        answers.doubt_all()
        with pytest.raises(sqlite3.OperationalError):
            await AnswerWatch(database, answers).look()
        kept = answers.take_doubted()
    finally:
        await database.close()

    assert len(kept) == 1
    assert not answer.is_cut.is_set()
