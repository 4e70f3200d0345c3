import asyncio
import sqlite3
from pathlib import Path

import pytest

from shared.database import Database, MigrationFailed


@pytest.fixture
def migrations(tmp_path: Path) -> Path:
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "0001_first.sql").write_text("CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT NOT NULL);")
    return folder


async def count(database: Database) -> int:
    row = await database.fetch_one("SELECT count(*) FROM note")
    assert row is not None
    return int(row[0])


async def test_an_older_file_is_upgraded_and_keeps_its_rows(tmp_path: Path, migrations: Path) -> None:
    first = await Database.open(tmp_path / "x.db", migrations)
    async with first.transaction() as write:
        await write.execute("INSERT INTO note (text) VALUES ('kept')")
    await first.close()
    (migrations / "0002_more.sql").write_text(
        "ALTER TABLE note ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0;"
    )

    second = await Database.open(tmp_path / "x.db", migrations)

    row = await second.fetch_one("SELECT text, pinned FROM note")
    assert row is not None
    assert tuple(row) == ("kept", 0)
    await second.close()


async def test_a_failing_migration_leaves_the_file_as_it_was(tmp_path: Path, migrations: Path) -> None:
    await (await Database.open(tmp_path / "x.db", migrations)).close()
    (migrations / "0002_bad.sql").write_text("CREATE TABLE half (id INTEGER); SELECT * FROM nowhere;")

    with pytest.raises(MigrationFailed, match="0002_bad"):
        await Database.open(tmp_path / "x.db", migrations)

    (migrations / "0002_bad.sql").unlink()
    database = await Database.open(tmp_path / "x.db", migrations)
    assert await database.fetch_one("SELECT name FROM sqlite_master WHERE name = 'half'") is None
    await database.close()


async def test_concurrent_transactions_take_turns(tmp_path: Path, migrations: Path) -> None:
    database = await Database.open(tmp_path / "x.db", migrations)

    async def add_if_fewer_than(limit: int) -> None:
        async with database.transaction() as write:
            async with write.execute("SELECT count(*) FROM note") as cursor:
                row = await cursor.fetchone()
            assert row is not None
            if row[0] < limit:
                await write.execute("INSERT INTO note (text) VALUES ('x')")

    await asyncio.gather(*(add_if_fewer_than(5) for _ in range(30)))

    assert await count(database) == 5
    await database.close()


async def test_what_a_failed_or_cancelled_transaction_wrote_is_gone(tmp_path: Path, migrations: Path) -> None:
    database = await Database.open(tmp_path / "x.db", migrations)
    started = asyncio.Event()

    async def write_and_hang() -> None:
        async with database.transaction() as write:
            await write.execute("INSERT INTO note (text) VALUES ('lost')")
            started.set()
            await asyncio.sleep(60)

    hanging = asyncio.create_task(write_and_hang())
    await started.wait()
    hanging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hanging
    with pytest.raises(sqlite3.IntegrityError):
        async with database.transaction() as write:
            await write.execute("INSERT INTO note (text) VALUES (NULL)")

    async with database.transaction() as write:
        await write.execute("INSERT INTO note (text) VALUES ('kept')")
    assert await count(database) == 1
    await database.close()
