"""Many users with a session each, put into the gateway's own database before it starts: nobody signs in a million times.

The tables are those of the gateway's migrations; the rows are what `Users.add` and `Sessions.start` write, made by SQLite itself.
"""

import asyncio
import random
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from gateway.accounts.accounts import open_database
from gateway.accounts.files import database_path
from gateway.accounts.principal import OrgId, PlanId, UserId
from gateway.accounts.user import Session, SessionId
from gateway.tokens.tokens import Tokens
from shared.clock import SystemClock

_LIFE_S = 86_400.0
_NUMBERS = "WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < :count)"
_USERS = f"""
INSERT INTO users (id, email, name, org_id, plan_id, role, status, password_hash, created_at)
{_NUMBERS}
SELECT printf('user_%032x', n), printf('%032x@example.com', n), '', printf('org_%032x', n), 'free', 'user', 'active',
       'nobody signs in', :now FROM numbers
"""  # noqa: S608 - constants
_SESSIONS = f"""
INSERT INTO sessions (id, user_id, created_at, expires_at)
{_NUMBERS} SELECT printf('sess_%032x', n), printf('user_%032x', n), :now, :now + :life FROM numbers
"""  # noqa: S608 - constants


def populate(data_dir: Path, users: int, tokens: int) -> Sequence[str]:
    """Tokens of so many of these users, in random order."""
    return asyncio.run(_populate(data_dir, users, tokens))


async def _populate(data_dir: Path, users: int, tokens: int) -> Sequence[str]:
    clock = SystemClock()
    now = float(int(clock.now()))
    async with open_database(data_dir):
        """The tables are made."""
    await asyncio.to_thread(_fill, database_path(data_dir), users, now)
    signing = await Tokens.open(data_dir, _LIFE_S, clock)
    return [_token(signing, number, now) for number in random.sample(range(users), tokens)]


def _fill(path: Path, users: int, now: float) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        # Nothing is lost when this is cut short but the run that wanted it.
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute(_USERS, {"count": users, "now": now})
        connection.execute(_SESSIONS, {"count": users, "now": now, "life": _LIFE_S})


def _token(signing: Tokens, number: int, now: float) -> str:
    user_id, org_id = UserId(f"user_{number:032x}"), OrgId(f"org_{number:032x}")
    session = Session(SessionId(f"sess_{number:032x}"), user_id, now, now + _LIFE_S)
    return signing.issue(user_id, org_id, PlanId("free"), session)
