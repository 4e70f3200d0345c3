"""API keys in the database. Only the SHA-256 is kept: 256 random bits need no slow hash, and are found by it."""

import hashlib
from collections.abc import Callable, Collection, Sequence

from gateway.accounts.changes import AccountChanges
from gateway.accounts.directory import Standing
from gateway.accounts.errors import KeyNotFound, TooManyKeys
from gateway.accounts.key_format import new_key, shown_prefix
from gateway.accounts.principal import UserId
from gateway.accounts.principal_rows import principal_of
from gateway.accounts.user import KeyId, KeyRecord
from shared.clock import Clock
from shared.database import Database

MOST_KEYS = 100


def key_hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


class ApiKeys:
    def __init__(
        self, database: Database, changes: AccountChanges, clock: Clock, new_id: Callable[[str], str]
    ) -> None:
        self._database = database
        self._changes = changes
        self._clock = clock
        self._new_id = new_id

    async def create(self, user_id: UserId, name: str, expires_at: float | None) -> tuple[KeyRecord, str]:
        """The record, and the key itself, which cannot be had again. Raises TooManyKeys."""
        key = new_key()
        record = KeyRecord(
            id=KeyId(self._new_id("key_")),
            user_id=user_id,
            name=name,
            prefix=shown_prefix(key),
            created_at=self._clock.now(),
            last_used_at=None,
            expires_at=expires_at,
        )
        async with self._database.transaction() as connection:
            cursor = await connection.execute(
                "SELECT count(*) FROM api_keys WHERE user_id = ? AND revoked_at IS NULL", (user_id,)
            )
            row = await cursor.fetchone()
            if row and row[0] >= MOST_KEYS:
                raise TooManyKeys
            await connection.execute(
                "INSERT INTO api_keys (id, user_id, name, prefix, hash, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (record.id, user_id, name, record.prefix, key_hash(key), record.created_at, expires_at),
            )
        return record, key

    async def of_user(self, user_id: UserId) -> Sequence[KeyRecord]:
        """Newest first, without the deleted ones."""
        rows = await self._database.fetch_all(
            "SELECT id, user_id, name, prefix, created_at, last_used_at, expires_at FROM api_keys"
            " WHERE user_id = ? AND revoked_at IS NULL ORDER BY created_at DESC, id DESC",
            (user_id,),
        )
        return [KeyRecord(**dict(row)) for row in rows]

    async def delete(self, user_id: UserId, key_id: KeyId) -> None:
        """The row stays, so that the key is told "revoked". Raises KeyNotFound."""
        async with self._changes.changing(user_id) as connection:
            cursor = await connection.execute(
                "UPDATE api_keys SET revoked_at = ? WHERE id = ? AND user_id = ? AND revoked_at IS NULL",
                (self._clock.now(), key_id, user_id),
            )
            if cursor.rowcount != 1:
                raise KeyNotFound

    async def standing(self, hashed: bytes) -> Standing | None:
        row = await self._database.fetch_one(
            "SELECT k.id AS key_id, k.expires_at, k.revoked_at, u.id, u.org_id, u.plan_id, u.role, u.status"
            " FROM api_keys k JOIN users u ON u.id = k.user_id WHERE k.hash = ?",
            (hashed,),
        )
        if row is None:
            return None
        principal = principal_of(row, row["key_id"])
        return Standing(
            principal=principal, expires_at=row["expires_at"], ended=row["revoked_at"] is not None
        )

    async def note_use(self, key_ids: Collection[str]) -> None:
        """To the minute: a key is noted when its cached standing is renewed."""
        if not key_ids:
            return
        now = self._clock.now()
        async with self._database.transaction() as connection:
            await connection.executemany(
                "UPDATE api_keys SET last_used_at = ? WHERE id = ?", [(now, key_id) for key_id in key_ids]
            )
