"""What is forgotten, and when: everything that grows with use and is not read again after some time.

Rules:
- Billing events stay for ever: they are what customers are billed for, and what APIGate's recovery asks about.
- What is over for longer than the operator keeps history goes: ended jobs, events, deployments that were deleted (with all that
  belongs to them), withdrawn templates that nothing was made from, revisions of templates that were replaced so long ago and that
  no deployment and no release has, and claims to host names that lapsed without a proof.
- What is kept for a fixed time (answers under idempotency keys, cancelled requests) goes when that is over.
- A few rows in each transaction, so that no order waits long for its turn. The room is used again; the file does not shrink.
"""

import asyncio
from collections.abc import Awaitable, Callable

import aiosqlite
import structlog

from hoster.billing.store import CANCELLED_KEPT_S
from hoster.domains.hostname import LAPSES_AFTER_S
from hoster.idempotency.store import KEPT_S
from shared.clock import Clock
from shared.database import Database

LOOK_EVERY_S = 600.0
AT_ONCE = 50
"""Rows, of what is forgotten; what belongs to them goes in the same transaction."""

_PAUSE_S = 0.02

Forget = Callable[[aiosqlite.Connection, float, int], Awaitable[int]]
"""Forgets up to so many of those that are older than a moment, and says how many it found."""


class Retention:
    """`history_s` is how long what is over is kept. Failure policy: what the database raises reaches the caller; what was forgotten
    before that is.
    """

    def __init__(self, database: Database, clock: Clock, history_s: float, at_once: int = AT_ONCE) -> None:
        self._database = database
        self._clock = clock
        self._at_once = at_once
        self._kept_s: dict[str, tuple[Forget, float]] = {
            "jobs": (_forget_jobs, history_s),
            "deployment_events": (_forget_events, history_s),
            "deployments": (_forget_deployments, history_s),
            "templates": (_forget_templates, history_s),
            "template_revisions": (_forget_revisions, history_s),
            "domains": (_forget_claims, LAPSES_AFTER_S + history_s),
            "idempotency_keys": (_forget_answers, KEPT_S),
            "cancelled_requests": (_forget_cancelled, CANCELLED_KEPT_S),
        }
        self._log = structlog.get_logger("retention")

    async def enforce(self) -> dict[str, int]:
        """How many of each were forgotten."""
        now = self._clock.now()
        forgotten = {
            what: await self._forget_all(forget, now - kept_s)
            for what, (forget, kept_s) in self._kept_s.items()
        }
        if any(forgotten.values()):
            self._log.info("history_forgotten", **forgotten)
        return forgotten

    async def _forget_all(self, forget: Forget, before: float) -> int:
        total = 0
        while True:
            async with self._database.transaction() as connection:
                found = await forget(connection, before, self._at_once)
            total += found
            if found < self._at_once:
                return total
            await asyncio.sleep(_PAUSE_S)


async def _forget_jobs(connection: aiosqlite.Connection, before: float, most: int) -> int:
    """Those that deleted a deployment go with it: they say what was to become of the volumes."""
    return await _rows(
        connection,
        "DELETE FROM jobs WHERE seq IN"
        " (SELECT seq FROM jobs WHERE finished_at < ? AND finished_at IS NOT NULL AND kind <> 'delete' LIMIT ?)",
        before,
        most,
    )


async def _forget_events(connection: aiosqlite.Connection, before: float, most: int) -> int:
    return await _rows(
        connection,
        "DELETE FROM deployment_events WHERE seq IN (SELECT seq FROM deployment_events WHERE at < ? LIMIT ?)",
        before,
        most,
    )


async def _forget_deployments(connection: aiosqlite.Connection, before: float, most: int) -> int:
    """From then on a node that still shows such a project shows one that is not ours."""
    found = await connection.execute_fetchall(
        "SELECT id FROM deployments WHERE status = 'deleted' AND updated_at < ? LIMIT ?", (before, most)
    )
    ids = [(row["id"],) for row in found]
    for table in ("deployment_variables", "releases", "deployment_events", "jobs", "domains"):
        await connection.executemany(f"DELETE FROM {table} WHERE deployment_id = ?", ids)  # noqa: S608 - names from the line above
    await connection.executemany("DELETE FROM deployments WHERE id = ?", ids)
    return len(ids)


async def _forget_templates(connection: aiosqlite.Connection, before: float, most: int) -> int:
    found = await connection.execute_fetchall(
        "SELECT t.id FROM templates t WHERE t.deleted_at < ?"
        " AND NOT EXISTS (SELECT 1 FROM deployments d WHERE d.template_id = t.id)"
        " AND NOT EXISTS (SELECT 1 FROM releases r WHERE r.template_id = t.id) LIMIT ?",
        (before, most),
    )
    ids = [(row["id"],) for row in found]
    await connection.executemany("DELETE FROM template_revisions WHERE template_id = ?", ids)
    await connection.executemany("DELETE FROM templates WHERE id = ?", ids)
    return len(ids)


async def _forget_revisions(connection: aiosqlite.Connection, before: float, most: int) -> int:
    """A rollback brings back the revision of its release, so as long as there is the one there is the other."""
    found = await connection.execute_fetchall(
        "SELECT DISTINCT r.template_id, r.revision FROM template_revisions newer"
        " JOIN template_revisions r ON r.template_id = newer.template_id AND r.revision < newer.revision"
        " WHERE newer.created_at < ?"
        " AND NOT EXISTS (SELECT 1 FROM deployments d WHERE d.template_id = r.template_id AND d.template_revision = r.revision)"
        " AND NOT EXISTS (SELECT 1 FROM releases l WHERE l.template_id = r.template_id AND l.template_revision = r.revision)"
        " LIMIT ?",
        (before, most),
    )
    replaced = [(row["template_id"], row["revision"]) for row in found]
    await connection.executemany(
        "DELETE FROM template_revisions WHERE template_id = ? AND revision = ?", replaced
    )
    return len(replaced)


async def _forget_claims(connection: aiosqlite.Connection, before: float, most: int) -> int:
    return await _rows(
        connection,
        "DELETE FROM domains WHERE seq IN"
        " (SELECT seq FROM domains WHERE claimed_at < ? AND verified_at IS NULL LIMIT ?)",
        before,
        most,
    )


async def _forget_answers(connection: aiosqlite.Connection, before: float, most: int) -> int:
    return await _rows(
        connection,
        "DELETE FROM idempotency_keys WHERE rowid IN"
        " (SELECT rowid FROM idempotency_keys WHERE created_at < ? LIMIT ?)",
        before,
        most,
    )


async def _forget_cancelled(connection: aiosqlite.Connection, before: float, most: int) -> int:
    return await _rows(
        connection,
        "DELETE FROM cancelled_requests WHERE request_id IN"
        " (SELECT request_id FROM cancelled_requests WHERE cancelled_at < ? LIMIT ?)",
        before,
        most,
    )


async def _rows(connection: aiosqlite.Connection, statement: str, before: float, most: int) -> int:
    cursor = await connection.execute(statement, (before, most))
    return cursor.rowcount
