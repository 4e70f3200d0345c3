"""Readers that overlap do not keep each other in the past."""

import asyncio
from pathlib import Path

from shared.database import Database


async def test_what_is_committed_is_read_by_whoever_asks_next_however_many_are_reading(
    tmp_path: Path,
) -> None:
    migrations = tmp_path / "migrations"
    migrations.mkdir()
    (migrations / "0001_notes.sql").write_text("CREATE TABLE notes (number INTEGER);")
    database = await Database.open(tmp_path / "a.db", migrations)
    stop = asyncio.Event()

    async def keep_reading() -> None:
        while not stop.is_set():
            await database.fetch_all("SELECT number FROM notes")

    readers = [asyncio.ensure_future(keep_reading()) for _ in range(8)]
    missed = []
    for number in range(50):
        async with database.transaction() as connection:
            await connection.execute("INSERT INTO notes VALUES (?)", (number,))
        if await database.fetch_one("SELECT 1 FROM notes WHERE number = ?", (number,)) is None:
            missed.append(number)
    stop.set()
    await asyncio.gather(*readers)
    await database.close()

    assert missed == []
