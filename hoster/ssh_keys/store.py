"""SSH keys in the database; the private halves are sealed."""

from dataclasses import dataclass

import aiosqlite
from aiohttp import web

from hoster.paging import Page, PageRequest, counted, page_of
from hoster.vault import Vault
from shared.clock import rfc3339
from shared.database import Database, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class SshKey:
    """The half that may be shown."""

    id: str
    name: str
    public_key: str
    fingerprint: str
    created_at: float

    def as_json(self) -> dict[str, object]:
        return {
            "id": self.id,
            "name": self.name,
            "public_key": self.public_key,
            "fingerprint": self.fingerprint,
            "created_at": rfc3339(self.created_at),
        }


class SshKeyStore:
    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def find(self, key_id: str, user_id: str) -> SshKey | None:
        row = await self._database.fetch_one(
            "SELECT * FROM ssh_keys WHERE id = ? AND user_id = ?", (key_id, user_id)
        )
        return None if row is None else ssh_key_of(row)

    async def page(self, user_id: str, request: PageRequest) -> Page[SshKey]:
        rows = await self._database.fetch_all(
            "SELECT * FROM ssh_keys WHERE user_id = :user AND (:before IS NULL OR seq < :before)"
            " ORDER BY seq DESC LIMIT :limit",
            {"user": user_id, "before": request.before, "limit": request.limit + 1},
        )
        total = await self._database.fetch_one("SELECT count(*) FROM ssh_keys WHERE user_id = ?", (user_id,))
        return page_of(rows, request, ssh_key_of, counted(total))

    async def private_key(self, key_id: str, user_id: str) -> str | None:
        """In OpenSSH's format: for the worker and for SSH connections alone."""
        row = await self._database.fetch_one(
            "SELECT private_key FROM ssh_keys WHERE id = ? AND user_id = ?", (key_id, user_id)
        )
        return None if row is None else self._vault.open(row["private_key"], private_row(key_id))


SSH_KEY_STORE = web.AppKey("ssh_key_store", SshKeyStore)


async def has_key(connection: aiosqlite.Connection, key_id: str, user_id: str) -> bool:
    """Within the transaction that is about to depend on it."""
    rows = await connection.execute_fetchall(
        "SELECT 1 FROM ssh_keys WHERE id = ? AND user_id = ?", (key_id, user_id)
    )
    return bool(list(rows))


def private_row(key_id: str) -> str:
    return f"ssh_keys/{key_id}/private_key"


def ssh_key_of(row: Row) -> SshKey:
    return SshKey(
        id=row["id"],
        name=row["name"],
        public_key=row["public_key"],
        fingerprint=row["fingerprint"],
        created_at=row["created_at"],
    )
