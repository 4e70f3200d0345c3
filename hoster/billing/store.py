"""Billing events: each is written in the transaction of the operation that it records, and is the record of that operation.

Rules: an operation is performed under a request id, or that request id is cancelled, never both. Both are decided in a transaction
that looks for the other, so that there is no moment in between.
"""

from dataclasses import dataclass

import aiosqlite
from aiohttp import web

from hoster.paging import Page, PageRequest, counted, page_of
from shared.clock import Clock, rfc3339
from shared.database import Database, Row
from shared.ids import new_id


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingEvent:
    """`status` is that of the HTTP answer; `request_id` is APIGate's, and unique."""

    id: str
    user_id: str
    event_type: str
    resource_id: str
    resource_type: str
    request_id: str
    status: int
    created_at: float

    def as_json(self) -> dict[str, object]:
        return {
            "id": self.id,
            "event_type": self.event_type,
            "resource_id": self.resource_id,
            "resource_type": self.resource_type,
            "request_id": self.request_id,
            "created_at": rfc3339(self.created_at),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What is about to be recorded."""

    user_id: str
    event_type: str
    resource_id: str
    request_id: str
    status: int


class OperationCancelled(Exception):
    """APIGate was told that nothing was performed under this request id, so nothing may be any more."""


CANCELLED_KEPT_S = 24 * 3600.0
"""Longer than the signature of a request is believed, so that none which was cancelled comes after its row has gone."""


class BillingStore:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def page(self, user_id: str, request: PageRequest) -> Page[BillingEvent]:
        rows = await self._database.fetch_all(
            "SELECT * FROM billing_events WHERE user_id = :user AND seq < :before"
            " ORDER BY seq DESC LIMIT :limit",
            {"user": user_id, "before": request.below, "limit": request.limit + 1},
        )
        total = await self._database.fetch_one(
            "SELECT billing_events FROM tallies WHERE user_id = ?", (user_id,)
        )
        return page_of(rows, request, _event, counted(total))

    async def find(self, request_id: str) -> BillingEvent | None:
        row = await self._database.fetch_one(
            "SELECT * FROM billing_events WHERE request_id = ?", (request_id,)
        )
        return None if row is None else _event(row)

    async def is_cancelled(self, request_id: str) -> bool:
        row = await self._database.fetch_one(
            "SELECT 1 FROM cancelled_requests WHERE request_id = ?", (request_id,)
        )
        return row is not None

    async def cancel(self, request_id: str) -> BillingEvent | None:
        """None: nothing was performed, and nothing will be under this id. Otherwise what was performed."""
        now = self._clock.now()
        async with self._database.transaction() as connection:
            performed = await _found(connection, request_id)
            if performed is None:
                await connection.execute(
                    "INSERT INTO cancelled_requests VALUES (?, ?) ON CONFLICT (request_id) DO NOTHING",
                    (request_id, now),
                )
        return performed


BILLING_STORE = web.AppKey("billing_store", BillingStore)


async def recorded(connection: aiosqlite.Connection, request_id: str) -> BillingEvent | None:
    """Within the transaction that is about to perform an operation: was it performed before? Raises OperationCancelled."""
    rows = await connection.execute_fetchall(
        "SELECT 1 FROM cancelled_requests WHERE request_id = ?", (request_id,)
    )
    if list(rows):
        raise OperationCancelled
    return await _found(connection, request_id)


async def _found(connection: aiosqlite.Connection, request_id: str) -> BillingEvent | None:
    rows = await connection.execute_fetchall(
        "SELECT * FROM billing_events WHERE request_id = ?", (request_id,)
    )
    found = next(iter(rows), None)
    return None if found is None else _event(found)


async def record(connection: aiosqlite.Connection, operation: Operation, now: float) -> None:
    await connection.execute(
        "INSERT INTO billing_events (id, user_id, event_type, resource_id, resource_type, request_id, status, created_at)"
        " VALUES (?, ?, ?, ?, 'deployment', ?, ?, ?)",
        (
            new_id("evt_"),
            operation.user_id,
            operation.event_type,
            operation.resource_id,
            operation.request_id,
            operation.status,
            now,
        ),
    )


def _event(row: Row) -> BillingEvent:
    return BillingEvent(
        id=row["id"],
        user_id=row["user_id"],
        event_type=row["event_type"],
        resource_id=row["resource_id"],
        resource_type=row["resource_type"],
        request_id=row["request_id"],
        status=row["status"],
        created_at=row["created_at"],
    )
