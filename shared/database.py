"""SQLite with numbered migrations, one writer at a time, and readers that never wait for it (WAL)."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar
from urllib.parse import quote

import aiosqlite
import structlog

BUSY_TIMEOUT_MS = 5_000
CACHE_MOST_KIB = 8 * 1024
"""Of each connection. A page of 200 rows with all that belongs to them touches more than SQLite's usual 2 MiB where ids are random."""

_T = TypeVar("_T")

Row = sqlite3.Row
Parameters = Iterable[object] | Mapping[str, object]
"""By position, or by name (`:name`)."""


@dataclass(frozen=True, slots=True)
class Migration:
    number: int
    name: str
    sql: str


class MigrationFailed(Exception):
    """A numbered script did not apply; the database is as it was before."""


class DatabaseFull(sqlite3.OperationalError):
    """The disk has no room for what was to be written, or does not take it; nothing of it is."""


class DatabaseBusy(sqlite3.OperationalError):
    """Another process held the database for longer than is waited for; nothing was read or written."""


PASSING = (DatabaseFull, DatabaseBusy)
"""What is over by itself, or when an operator has made room; what was to be written may be written then."""

_WAITED_FOR_S = 1.0
_BY_CODE: Mapping[int, type[sqlite3.OperationalError]] = {
    sqlite3.SQLITE_FULL: DatabaseFull,
    sqlite3.SQLITE_IOERR: DatabaseFull,
    sqlite3.SQLITE_BUSY: DatabaseBusy,
    sqlite3.SQLITE_LOCKED: DatabaseBusy,
}
"""By primary result code: what passes by itself, and is no defect of the statement."""


class Database:
    """Two connections to one file: `transaction` writes, `fetch_*` reads what is committed.

    Failure policy: `sqlite3.Error` reaches the caller, what passes by itself as `DatabaseFull` or `DatabaseBusy`; a transaction whose body
    raises (or is cancelled) is rolled back.
    """

    def __init__(self, writer: aiosqlite.Connection, reader: aiosqlite.Connection) -> None:
        self._writer = writer
        self._reader = reader
        self._turn = asyncio.Lock()

    @classmethod
    async def open(cls, path: Path, migrations: Path) -> Self:
        """Creates or upgrades the file. `migrations` holds `0001_name.sql`, `0002_...`, applied once each, in one transaction. They
        may use `casefold`: SQLite's own `lower` knows ASCII alone.
        """
        await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
        writer = await _connect(path)
        try:
            await _migrate(writer, migrations)
            reader = await _connect(path)
        except BaseException:
            await writer.close()
            raise
        return cls(writer, reader)

    @classmethod
    async def open_read_only(cls, path: Path) -> Self:
        """A file that another process has opened with `open`, and writes; a transaction here is a `sqlite3.OperationalError`."""
        reader = await aiosqlite.connect(f"file:{quote(str(path))}?mode=ro", uri=True, isolation_level=None)
        reader.row_factory = sqlite3.Row
        await reader.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        return cls(reader, reader)

    async def close(self) -> None:
        await self._reader.close()
        if self._writer is not self._reader:
            await self._writer.close()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[aiosqlite.Connection]:
        """`BEGIN IMMEDIATE` ... `COMMIT`; what is checked inside still holds when it commits."""
        async with self._turn, _passing_told():
            try:
                # Inside the try: when the caller is cancelled here, the thread still begins, and must roll back.
                await self._writer.execute("BEGIN IMMEDIATE")
                yield self._writer
            except BaseException:
                await asyncio.shield(self._writer.rollback())
                raise
            try:
                await asyncio.shield(self._writer.commit())
            except sqlite3.Error:
                # Else it would still be open, and the next one could not begin.
                await asyncio.shield(self._writer.rollback())
                raise

    async def fetch_all(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        # Executed and read to its end in one step of the thread: a statement that is still open when another begins would show it
        # the database as it was for the first, and readers that overlap would go on seeing that.
        async with _passing_told():
            return list(await self._reader.execute_fetchall(sql, _bindable(parameters)))

    async def fetch_one(self, sql: str, parameters: Parameters = ()) -> Row | None:
        """The first row; the statement should find few."""
        rows = await self.fetch_all(sql, parameters)
        return rows[0] if rows else None


async def once_possible(step: Callable[[], Awaitable[_T]]) -> _T:
    """Repeats `step`, which may be repeated, until the database is neither full nor busy; each time that it is says so in the log."""
    while True:
        try:
            return await step()
        except PASSING as passing:
            structlog.get_logger("database").warning("database_waited_for", reason=str(passing))
            await asyncio.sleep(_WAITED_FOR_S)


@asynccontextmanager
async def _passing_told() -> AsyncIterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        # What Python itself raises has no code; extended codes keep the primary one in their lowest byte.
        passing = _BY_CODE.get(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF)
        if passing is None:
            raise
        raise passing(passing.__doc__) from error


def _bindable(parameters: Parameters) -> tuple[object, ...] | Mapping[str, object]:
    return parameters if isinstance(parameters, Mapping) else tuple(parameters)


async def _connect(path: Path) -> aiosqlite.Connection:
    connection = await aiosqlite.connect(path, isolation_level=None)
    connection.row_factory = sqlite3.Row
    await connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    await connection.execute("PRAGMA journal_mode = WAL")
    await connection.execute("PRAGMA synchronous = FULL")
    await connection.execute("PRAGMA foreign_keys = ON")
    await connection.execute(f"PRAGMA cache_size = -{CACHE_MOST_KIB}")
    await connection.create_function("casefold", 1, str.casefold, deterministic=True)
    return connection


async def _migrate(connection: aiosqlite.Connection, folder: Path) -> None:
    async with connection.execute("PRAGMA user_version") as cursor:
        row = await cursor.fetchone()
    done = int(row[0]) if row else 0
    scripts = await asyncio.to_thread(_scripts_after, done, folder)
    if not scripts:
        return
    newest = scripts[-1].number
    body = "\n".join(script.sql for script in scripts)
    try:
        await connection.executescript(f"BEGIN IMMEDIATE;\n{body}\nPRAGMA user_version = {newest};\nCOMMIT;")
    except sqlite3.Error as error:
        await connection.rollback()
        names = ", ".join(script.name for script in scripts)
        raise MigrationFailed(f"{names}: {error}") from error


def _scripts_after(done: int, folder: Path) -> list[Migration]:
    found = (
        Migration(int(path.name.split("_")[0]), path.name, path.read_text(encoding="utf-8"))
        for path in folder.glob("[0-9]*.sql")
    )
    return sorted((script for script in found if script.number > done), key=lambda script: script.number)
