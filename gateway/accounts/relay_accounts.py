"""Accounts as a relay process sees them: read only, kept in step with what others change, and without private keys."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gateway.accounts.answer_watch import LOOK_EVERY_S, AnswerWatch
from gateway.accounts.api_keys import ApiKeys
from gateway.accounts.authentication import AccountAuthenticator
from gateway.accounts.changes import AccountChanges
from gateway.accounts.directory import Directory
from gateway.accounts.files import database_path
from gateway.accounts.ongoing_answers import OngoingAnswers
from gateway.accounts.sessions import Sessions
from gateway.tokens.verification import TokenVerifier
from shared.clock import Clock
from shared.database import Database
from shared.ids import new_id
from shared.supervise import BackgroundJob, forever, supervised

_FOLLOW_CHANGES_S = 0.25


@dataclass(frozen=True, slots=True)
class RelayAccounts:
    authenticator: AccountAuthenticator
    directory: Directory
    ongoing_answers: OngoingAnswers


@asynccontextmanager
async def open_relay_accounts(
    data_dir: Path, verifier: TokenVerifier, token_life_s: float, clock: Clock, on_death: Callable[[], None]
) -> AsyncIterator[RelayAccounts]:
    """After the control process has opened the same. Raises OSError, sqlite3.Error."""
    database = await Database.open_read_only(database_path(data_dir))
    try:
        ongoing = OngoingAnswers(clock)
        directory = Directory(ongoing)
        changes = await AccountChanges.open(database, directory)
        sessions = Sessions(database, changes, clock, new_id, token_life_s)
        keys = ApiKeys(database, changes, clock, new_id)
        authenticator = AccountAuthenticator(verifier, directory, sessions, keys, clock)
        jobs: dict[str, BackgroundJob] = {
            "account_changes": partial(forever, _FOLLOW_CHANGES_S, changes.follow, "account_changes"),
            "answers": partial(forever, LOOK_EVERY_S, AnswerWatch(database, ongoing).look, "answers"),
        }
        async with supervised(jobs, on_death):
            yield RelayAccounts(authenticator, directory, ongoing)
    finally:
        await database.close()
