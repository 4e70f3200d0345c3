"""The ledger of usage events (SQLite): written in groups, each event once however often it is shipped."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from gateway.accounts.principal import OrgId, PlanId, UserId
from gateway.metering.records import Intent, Result, row_of
from gateway.metering.segments import Position
from gateway.metering.usage import UsageEvent, UsageTotal
from shared.database import Database, Row

_MIGRATIONS = Path(__file__).parent / "migrations"
_CURSOR = re.compile(r"[0-9a-f-]{36}")

_MEMBERS = f"({', '.join('?' * 9)}, nullif(?, ''), {', '.join('?' * 6)})"
"""The event type is bound as text even where there is none: for None `sqlite3` looks for an adapter, at the cost of three others."""

_RECORD = {
    count: f"INSERT INTO usage_events VALUES {', '.join([_MEMBERS] * count)} ON CONFLICT (id) DO NOTHING"  # noqa: S608 - question marks
    for count in (128, 32, 8, 1)
}
"""By the number of rows that a statement takes, most first: a statement for each row would hand the interpreter's lock to and fro for
each row, and one of any number would be prepared anew each time.
"""

_CHECKPOINT = """
INSERT INTO journal_checkpoints VALUES (?, ?, ?)
ON CONFLICT (journal) DO UPDATE SET segment = excluded.segment, byte_offset = excluded.byte_offset
"""
OWN = ""
"""The name of the journal of the process that writes the ledger; those of relay processes have their folder's name."""

# One statement, so that the count and the ids are of one moment.
_CHARGED = """
SELECT (SELECT count(*) FROM usage_events WHERE user_id = :user_id AND period = :period AND cost > 0) AS used,
       (SELECT json_group_array(id) FROM usage_events WHERE id IN (SELECT value FROM json_each(:ids))) AS known
"""
_FIND = "SELECT * FROM usage_events WHERE id IN (SELECT value FROM json_each(?))"
_TOTALS = """
SELECT event_type, count(*) AS count, sum(cost) AS cost FROM usage_events
WHERE user_id = ? AND period = ? GROUP BY event_type ORDER BY event_type
"""
# The index is by month: the newest of each month that the user has, and of those the newest.
_EVENTS_OF_ONE = """
WITH months (period) AS (
  SELECT max(period) FROM usage_events WHERE user_id = :user_id
  UNION ALL
  SELECT (SELECT max(period) FROM usage_events WHERE user_id = :user_id AND period < months.period)
  FROM months WHERE period IS NOT NULL
)
SELECT usage_events.* FROM months JOIN usage_events ON usage_events.id IN (
  SELECT id FROM usage_events WHERE user_id = :user_id AND period = months.period AND id < :before
  ORDER BY id DESC LIMIT :most
)
ORDER BY usage_events.id DESC LIMIT :most
"""
_EVENTS_OF_ALL = "SELECT * FROM usage_events WHERE id < ? ORDER BY id DESC LIMIT ?"
_AFTER_ALL = "g"
"""Sorts after every id, which begin with a hexadecimal digit."""


class Ledger:
    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    async def open(cls, path: Path) -> Self:
        return cls(await Database.open(path, _MIGRATIONS))

    async def close(self) -> None:
        await self._database.close()

    async def checkpoint(self, journal: str = OWN) -> Position:
        row = await self._database.fetch_one(
            "SELECT segment, byte_offset FROM journal_checkpoints WHERE journal = ?", (journal,)
        )
        return Position(row["segment"], row["byte_offset"]) if row else Position(0, 0)

    async def record(
        self, ended: Sequence[tuple[Intent, Result]], checkpoint: Position, journal: str = OWN
    ) -> None:
        groups = _grouped(ended)
        async with self._database.transaction() as connection:
            for statement, members in groups:
                await connection.execute(statement, members)
            await connection.execute(_CHECKPOINT, (journal, checkpoint.segment, checkpoint.offset))

    async def forget_journal(self, journal: str) -> None:
        async with self._database.transaction() as connection:
            await connection.execute("DELETE FROM journal_checkpoints WHERE journal = ?", (journal,))

    async def charged(
        self, user_id: UserId, period_name: str, ids: Sequence[str]
    ) -> tuple[int, frozenset[str]]:
        """How many events of the month cost something, and which of `ids` are recorded."""
        named = {"user_id": user_id, "period": period_name, "ids": json.dumps(list(ids))}
        row = await self._database.fetch_one(_CHARGED, named)
        return (row["used"], frozenset(json.loads(row["known"]))) if row else (0, frozenset())

    async def find(self, ids: Sequence[str]) -> list[UsageEvent]:
        return [_event(row) for row in await self._database.fetch_all(_FIND, (json.dumps(list(ids)),))]

    async def charged_among(self, ids: Sequence[str]) -> frozenset[str]:
        return frozenset(event.id for event in await self.find(ids) if event.cost > 0)

    async def totals(self, user_id: UserId, period_name: str) -> Sequence[UsageTotal]:
        rows = await self._database.fetch_all(_TOTALS, (user_id, period_name))
        return [UsageTotal(row["event_type"], row["count"], row["cost"]) for row in rows]

    async def events(
        self, user_id: UserId | None, limit: int, cursor: str | None
    ) -> tuple[Sequence[UsageEvent], str | None]:
        """Newest first: ids are ordered by time. Raises ValueError for a cursor that is not ours."""
        if cursor is not None and not _CURSOR.fullmatch(cursor):
            raise ValueError("not a cursor of this list")
        before = cursor or _AFTER_ALL
        if user_id is None:
            rows = await self._database.fetch_all(_EVENTS_OF_ALL, (before, limit + 1))
        else:
            asked = {"user_id": user_id, "before": before, "most": limit + 1}
            rows = await self._database.fetch_all(_EVENTS_OF_ONE, asked)
        items = [_event(row) for row in rows[:limit]]
        return items, items[-1].id if len(rows) > limit else None


def _grouped(ended: Sequence[tuple[Intent, Result]]) -> list[tuple[str, list[object]]]:
    """Statements with their parameters, as few as there can be."""
    groups: list[tuple[str, list[object]]] = []
    done = 0
    for count, statement in _RECORD.items():
        while len(ended) - done >= count:
            members: list[object] = []
            for intent, result in ended[done : done + count]:
                members += row_of(intent, result)
            groups.append((statement, members))
            done += count
    return groups


def _event(row: Row) -> UsageEvent:
    return UsageEvent(
        id=row["id"],
        user_id=UserId(row["user_id"]),
        org_id=OrgId(row["org_id"]),
        key_id=row["key_id"],
        plan_id=PlanId(row["plan_id"]),
        route=row["route"],
        method=row["method"],
        path=row["path"],
        status=row["status"],
        event_type=row["event_type"],
        cost=row["cost"],
        latency_ms=row["latency_ms"],
        request_bytes=row["request_bytes"],
        response_bytes=row["response_bytes"],
        created_at=row["created_at"],
    )
