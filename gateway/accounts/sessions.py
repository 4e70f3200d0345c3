"""Sessions in the database: one for each token that was issued."""

from collections.abc import Callable

import aiosqlite

from gateway.accounts.changes import AccountChanges
from gateway.accounts.directory import Standing
from gateway.accounts.errors import InvalidCredentials
from gateway.accounts.principal import UserId
from gateway.accounts.principal_rows import principal_of
from gateway.accounts.user import Session, SessionId
from gateway.errors import TokenRevoked
from shared.clock import Clock
from shared.database import Database

# An expired session is kept a little longer, so that its token is told "expired", not "revoked", within the leeway of its checks.
_KEPT_AFTER_EXPIRY_S = 120.0

_INSERT = "INSERT INTO sessions (id, user_id, created_at, expires_at) VALUES (?, ?, ?, ?)"


class Sessions:
    def __init__(
        self,
        database: Database,
        changes: AccountChanges,
        clock: Clock,
        new_id: Callable[[str], str],
        life_s: float,
    ) -> None:
        self._database = database
        self._changes = changes
        self._clock = clock
        self._new_id = new_id
        self._life_s = life_s

    async def start(self, user_id: UserId, password_hash: str) -> Session:
        """Raises InvalidCredentials when the password that was verified is no longer the user's.

        Verifying takes long enough for a password change to come between, which must end this sign-in like all others.
        """
        session = self._fresh(user_id)
        async with self._database.transaction() as connection:
            await _require_password(connection, user_id, password_hash)
            await connection.execute(_INSERT, _row(session))
            await connection.execute(
                "DELETE FROM sessions WHERE user_id = ? AND expires_at < ?",
                (user_id, session.created_at - _KEPT_AFTER_EXPIRY_S),
            )
        return session

    async def replace(self, user_id: UserId, old: SessionId) -> Session:
        """Ends one session and starts the next, both or neither. Raises TokenRevoked when it had ended before."""
        session = self._fresh(user_id)
        async with self._changes.changing(user_id) as connection:
            cursor = await connection.execute(
                "UPDATE sessions SET ended_at = ? WHERE id = ? AND ended_at IS NULL",
                (session.created_at, old),
            )
            if cursor.rowcount != 1:
                raise TokenRevoked
            await connection.execute(_INSERT, _row(session))
        return session

    async def end(self, user_id: UserId, session_id: SessionId) -> None:
        async with self._changes.changing(user_id) as connection:
            await connection.execute(
                "UPDATE sessions SET ended_at = ? WHERE id = ? AND user_id = ? AND ended_at IS NULL",
                (self._clock.now(), session_id, user_id),
            )

    async def set_password(self, user_id: UserId, old_hash: str, new_hash: str, keep: SessionId) -> None:
        """The new password and the end of all sessions but one, both or neither.

        Raises InvalidCredentials when the password was changed since it was verified.
        """
        async with self._changes.changing(user_id) as connection:
            await _require_password(connection, user_id, old_hash)
            await connection.execute("UPDATE users SET password_hash = ? WHERE id = ?", (new_hash, user_id))
            await connection.execute(
                "UPDATE sessions SET ended_at = ? WHERE user_id = ? AND id <> ? AND ended_at IS NULL",
                (self._clock.now(), user_id, keep),
            )

    async def standing(self, session_id: SessionId) -> Standing | None:
        row = await self._database.fetch_one(
            "SELECT s.expires_at, s.ended_at, u.id, u.org_id, u.plan_id, u.role, u.status"
            " FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = ?",
            (session_id,),
        )
        if row is None:
            return None
        principal = principal_of(row, session_id)
        return Standing(principal=principal, expires_at=row["expires_at"], ended=row["ended_at"] is not None)

    def _fresh(self, user_id: UserId) -> Session:
        # Whole seconds: the `exp` of a token is one, and both must end together.
        now = float(int(self._clock.now()))
        return Session(SessionId(self._new_id("sess_")), user_id, now, now + self._life_s)


async def _require_password(connection: aiosqlite.Connection, user_id: UserId, password_hash: str) -> None:
    cursor = await connection.execute(
        "SELECT 1 FROM users WHERE id = ? AND password_hash = ?", (user_id, password_hash)
    )
    if await cursor.fetchone() is None:
        raise InvalidCredentials


def _row(session: Session) -> tuple[str, str, float, float]:
    return session.id, session.user_id, session.created_at, session.expires_at
