"""How a change to an account takes effect: at once in this process, within a second in every other one.

A change writes the user's id into `account_changes` in its own transaction. This process evicts the user from its directory as soon
as that is committed, and the relay processes as soon as `publish` has told them. Whoever was not told (changes by the command line,
a message that was lost with its process) reads it in the feed, a few times a second.
"""

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Self

import aiosqlite

from gateway.accounts.directory import Directory
from gateway.accounts.principal import UserId
from shared.database import Database

_KEPT = 10_000
_BATCH = 1_000


class AccountChanges:
    def __init__(self, database: Database, directory: Directory, seen: int) -> None:
        self._database = database
        self._directory = directory
        self._seen = seen
        self.publish: Callable[[UserId], None] = _tell_nobody
        """Called at once with whom this process has changed; the feed tells those who were not reached."""

    @classmethod
    async def open(cls, database: Database, directory: Directory) -> Self:
        """`directory` must still be empty."""
        row = await database.fetch_one("SELECT coalesce(max(position), 0) FROM account_changes")
        return cls(database, directory, int(row[0]) if row else 0)

    @asynccontextmanager
    async def changing(self, user_id: UserId) -> AsyncIterator[aiosqlite.Connection]:
        """A transaction that changes what a session or key of this user may do."""
        try:
            async with self._database.transaction() as connection:
                yield connection
                await announce(connection, user_id)
        finally:
            # Also when the caller was cancelled during the commit, which then happened.
            self._directory.evict(user_id)
            self.publish(user_id)

    async def follow(self) -> None:
        """Evicts whom another process has changed.

        Failure policy: when the feed cannot be read, nothing that is cached may be trusted: the directory is emptied and the
        `sqlite3.Error` goes to the caller.
        """
        try:
            while True:
                rows = await self._database.fetch_all(
                    "SELECT position, user_id FROM account_changes WHERE position > ? ORDER BY position LIMIT ?",
                    (self._seen, _BATCH),
                )
                if rows and rows[0]["position"] != self._seen + 1:
                    self._directory.clear()
                for row in rows:
                    self._directory.evict(row["user_id"])
                if rows:
                    self._seen = rows[-1]["position"]
                if len(rows) < _BATCH:
                    return
        except sqlite3.Error:
            self._directory.clear()
            raise


def _tell_nobody(_user_id: UserId) -> None:
    """There is one process."""


async def announce(connection: aiosqlite.Connection, user_id: UserId) -> None:
    """Within a transaction. The feed is short: a process that is further behind starts afresh."""
    cursor = await connection.execute("INSERT INTO account_changes (user_id) VALUES (?)", (user_id,))
    position = cursor.lastrowid or 0
    await connection.execute("DELETE FROM account_changes WHERE position <= ?", (position - _KEPT,))
