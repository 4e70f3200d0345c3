"""The accounts of a running gateway: opened once in each process, closed at its end."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gateway.accounts.administration import Administration
from gateway.accounts.answer_watch import LOOK_EVERY_S, AnswerWatch
from gateway.accounts.api_keys import ApiKeys
from gateway.accounts.attempts import Attempts
from gateway.accounts.authentication import AccountAuthenticator
from gateway.accounts.changes import AccountChanges
from gateway.accounts.directory import Directory
from gateway.accounts.files import database_path
from gateway.accounts.ongoing_answers import OngoingAnswers
from gateway.accounts.passwords import Passwords
from gateway.accounts.sessions import Sessions
from gateway.accounts.sign_in import SignIn
from gateway.accounts.sign_up_rate import SignUpRate
from gateway.accounts.users import Users
from gateway.tokens.tokens import Tokens
from shared.clock import Clock
from shared.database import Database
from shared.ids import new_id
from shared.supervise import BackgroundJob, forever, supervised

MIGRATIONS = Path(__file__).parent / "migrations"

# A change made by another process must be in force within a second.
_FOLLOW_CHANGES_S = 0.25
_FOLLOW_KEYS_S = 1.0
_NOTE_USE_S = 5.0


@dataclass(frozen=True, slots=True)
class Accounts:
    """What the control app is built from."""

    users: Users
    administration: Administration
    sign_in: SignIn
    keys: ApiKeys
    tokens: Tokens
    authenticator: AccountAuthenticator
    changes: AccountChanges
    ongoing_answers: OngoingAnswers


@asynccontextmanager
async def open_database(data_dir: Path) -> AsyncIterator[Database]:
    """Raises OSError, sqlite3.Error, MigrationFailed."""
    path = database_path(data_dir)
    await asyncio.to_thread(_make_private_file, path)
    database = await Database.open(path, MIGRATIONS)
    try:
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def open_accounts(
    data_dir: Path, token_life_s: float, clock: Clock, on_death: Callable[[], None]
) -> AsyncIterator[Accounts]:
    """Opens the database and the signing keys, and follows what other processes change in them.

    `on_death` is called when following stops, which must end the process. Raises what `open_database` and `Tokens.open` raise.
    """
    async with open_database(data_dir) as database:
        tokens = await Tokens.open(data_dir, token_life_s, clock)
        ongoing = OngoingAnswers(clock)
        directory = Directory(ongoing)
        changes = await AccountChanges.open(database, directory)
        users = Users(database, changes, clock, new_id)
        sessions = Sessions(database, changes, clock, new_id, token_life_s)
        keys = ApiKeys(database, changes, clock, new_id)
        authenticator = AccountAuthenticator(tokens.verifier, directory, sessions, keys, clock)
        passwords = await asyncio.to_thread(Passwords)
        jobs: dict[str, BackgroundJob] = {
            "account_changes": partial(forever, _FOLLOW_CHANGES_S, changes.follow, "account_changes"),
            "answers": partial(forever, LOOK_EVERY_S, AnswerWatch(database, ongoing).look, "answers"),
            "signing_keys": partial(forever, _FOLLOW_KEYS_S, tokens.follow, "signing_keys"),
            "key_use": partial(forever, _NOTE_USE_S, authenticator.note_used_keys, "key_use"),
        }
        try:
            async with supervised(jobs, on_death):
                sign_in = SignIn(users, sessions, passwords, Attempts(clock), SignUpRate(clock))
                yield Accounts(
                    users, Administration(users), sign_in, keys, tokens, authenticator, changes, ongoing
                )
        finally:
            passwords.close()


def _make_private_file(path: Path) -> None:
    """Before SQLite makes it, which would let others read it; its journal files take the same mode."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
