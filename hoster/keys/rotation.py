"""Learning a new key while the service runs, sealing everything again with it, and giving up the old ones.

Rules:
- The key file says what is to be done: more than one key in it means that something may still be sealed with the others. So a crash at
  any moment, and a rotation ordered while the service was down, are continued in the same way.
- An old key leaves the file only after a whole pass has found nothing sealed with it.
"""

import asyncio
from pathlib import Path

import structlog

from hoster.keys.file import read_keys, retire
from hoster.keys.sealed_columns import SEALED_COLUMNS, SealedColumn
from hoster.vault import Vault
from shared.database import Database, Row

LOOK_EVERY_S = 1.0
SETTLE_S = 2.0
"""What was sealed before the new key was learned is written by then."""

_BATCH = 200


class KeyRotation:
    """Failure policy: a key file that cannot be read, and a value that no key opens, reach the caller; no key is given up then."""

    def __init__(self, database: Database, vault: Vault, key_file: Path, settle_s: float = SETTLE_S) -> None:
        self._database = database
        self._vault = vault
        self._key_file = key_file
        self._settle_s = settle_s
        self._known: list[bytes] = []
        self._log = structlog.get_logger("keys")

    async def look(self) -> None:
        keys = await asyncio.to_thread(read_keys, self._key_file)
        if keys == self._known:
            return
        self._vault.learn(keys)
        newest, *old = keys
        if old:
            await asyncio.sleep(self._settle_s)
            resealed = await self.reseal()
            while await self.reseal():
                continue
            await asyncio.to_thread(retire, self._key_file, old)
            self._log.info("keys_rotated", resealed=resealed, retired=len(old))
        self._known = [newest]

    async def reseal(self) -> int:
        """One pass over everything; how many values were sealed with an older key. Raises VaultUnusable."""
        return sum([await self._reseal(column) for column in SEALED_COLUMNS])

    async def _reseal(self, column: SealedColumn) -> int:
        rows = await self._database.fetch_all(column.selection())
        changed = 0
        for start in range(0, len(rows), _BATCH):
            changed += await self._write(column, rows[start : start + _BATCH])
        return changed

    async def _write(self, column: SealedColumn, rows: list[Row]) -> int:
        """A value that was replaced meanwhile stays as it is now."""
        fresh = [(row, self._vault.resealed(row["sealed"], column.bound_to(row))) for row in rows]
        old = [(row, sealed) for row, sealed in fresh if sealed != row["sealed"]]
        if old:
            condition = " AND ".join(f"{name} = ?" for name in (*column.key, column.column))
            async with self._database.transaction() as connection:
                await connection.executemany(
                    f"UPDATE {column.table} SET {column.column} = ? WHERE {condition}",  # noqa: S608 - names of our own
                    [(sealed, *(row[name] for name in column.key), row["sealed"]) for row, sealed in old],
                )
        return len(old)
