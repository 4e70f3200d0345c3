"""Accounts as a relay process sees them: read only, kept in step with what others change."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gateway.accounts.api_keys import ApiKeys
from gateway.accounts.authentication import AccountAuthenticator
from gateway.accounts.changes import AccountChanges
from gateway.accounts.directory import Directory
from gateway.accounts.files import database_path
from gateway.accounts.sessions import Sessions
from gateway.tokens.tokens import Tokens
from shared.clock import Clock
from shared.database import Database
from shared.ids import new_id
from shared.supervise import BackgroundJob, forever, supervised

_FOLLOW_CHANGES_S = 0.25
_FOLLOW_KEYS_S = 1.0


@dataclass(frozen=True, slots=True)
class RelayAccounts:
    authenticator: AccountAuthenticator
    directory: Directory


@asynccontextmanager
async def open_relay_accounts(
    data_dir: Path, token_life_s: float, clock: Clock, on_death: Callable[[], None]
) -> AsyncIterator[RelayAccounts]:
    """After the control process has opened the same. Raises OSError, sqlite3.Error, KeyFileInvalid."""
    database = await Database.open_read_only(database_path(data_dir))
    try:
        tokens = await Tokens.open(data_dir, token_life_s, clock)
        directory = Directory()
        changes = await AccountChanges.open(database, directory)
        sessions = Sessions(database, changes, clock, new_id, token_life_s)
        keys = ApiKeys(database, changes, clock, new_id)
        authenticator = AccountAuthenticator(tokens.verifier, directory, sessions, keys, clock)
        jobs: dict[str, BackgroundJob] = {
            "account_changes": partial(forever, _FOLLOW_CHANGES_S, changes.follow, "account_changes"),
            "signing_keys": partial(forever, _FOLLOW_KEYS_S, tokens.follow, "signing_keys"),
        }
        async with supervised(jobs, on_death):
            yield RelayAccounts(authenticator, directory)
    finally:
        await database.close()
