"""Jobs in the database. A claim is a lease: who holds it must renew it, and what is not renewed is taken over.

Rules:
- Jobs of one deployment run one at a time, oldest first.
- A job that was superseded while it ran keeps its lease until its runner lets go, so that its successor waits.
- The state change that a job leads to and the end of the job are one transaction.
"""

from dataclasses import dataclass

import aiosqlite

from hoster.deployments.model import Happening
from hoster.deployments.moves import Effects, advance, write_happening
from hoster.deployments.transitions import Trigger
from hoster.jobs.model import Job, Kind, Patience, Postponed, Settled, Volumes, deadline_of
from hoster.releases import store as releases
from shared.clock import Clock
from shared.database import Database, Row
from shared.ids import new_id

LEASE_S = 10.0
REDEPLOY_FAILED = "redeploy_failed"

_SUPERSEDED = "Another order came before it was deployed."
_CLAIM = """
    UPDATE jobs SET lease_owner = :owner, lease_until = :until, attempts = attempts + 1
    WHERE seq = (
        SELECT j.seq FROM jobs j
        WHERE j.status = 'queued' AND j.not_before <= :now AND j.lease_until <= :now
          AND NOT EXISTS (SELECT 1 FROM jobs o WHERE o.deployment_id = j.deployment_id AND o.seq <> j.seq
                          AND ((o.status = 'queued' AND o.seq < j.seq) OR o.lease_until > :now))
        ORDER BY j.not_before LIMIT 1)
    RETURNING *
"""


class JobStore:
    """`owner` names this process; it is new at every start."""

    def __init__(self, database: Database, clock: Clock, owner: str) -> None:
        self._database = database
        self._clock = clock
        self._owner = owner

    async def resume(self, patience: Patience) -> None:
        """At start: what was left has all of its time, for nobody worked on it while there was no process."""
        now = self._clock.now()
        async with self._database.transaction() as connection:
            await connection.executemany(
                "UPDATE jobs SET deadline_at = max(deadline_at, ?) WHERE status = 'queued' AND kind = ?",
                [(deadline_of(kind, patience, now), kind.value) for kind in Kind if kind is not Kind.DELETE],
            )

    async def claim(self) -> Job | None:
        now = self._clock.now()
        async with self._database.transaction() as connection:
            rows = await connection.execute_fetchall(
                _CLAIM, {"owner": self._owner, "until": now + LEASE_S, "now": now}
            )
        found = next(iter(rows), None)
        return None if found is None else _job(found)

    async def renew(self) -> None:
        """Keeps every lease of this process for another `LEASE_S`."""
        now = self._clock.now()
        async with self._database.transaction() as connection:
            await connection.execute(
                "UPDATE jobs SET lease_until = ? WHERE lease_owner = ? AND lease_until > 0",
                (now + LEASE_S, self._owner),
            )

    async def settle(self, job: Job, outcome: Settled) -> bool:
        """Moves the deployment and ends the job. False when the deployment has moved on: then the job is superseded."""
        now = self._clock.now()
        async with self._database.transaction() as connection:
            moved = await advance(connection, job.deployment_id, outcome.trigger, _effects(job, outcome), now)
            if moved:
                await _settle_release(connection, job, outcome, now)
            await connection.execute(
                "UPDATE jobs SET status = ?, error = ?, finished_at = ?, lease_owner = NULL, lease_until = 0 WHERE id = ?",
                ("done" if moved else "superseded", outcome.reason, now, job.id),
            )
        return moved

    async def supersede(self, job: Job) -> None:
        now = self._clock.now()
        async with self._database.transaction() as connection:
            await releases.fail(connection, [job.release_id] if job.release_id else [], _SUPERSEDED)
            await connection.execute(
                "UPDATE jobs SET status = 'superseded', finished_at = ?, lease_owner = NULL, lease_until = 0 WHERE id = ?",
                (now, job.id),
            )

    async def postpone(self, job: Job, postponed: Postponed) -> None:
        """Back into the queue, unless an order of the owner has superseded it meanwhile."""
        async with self._database.transaction() as connection:
            await connection.execute(
                "UPDATE jobs SET not_before = ?, deadline_at = ?, unreachable_since = ?, error = ?, lease_owner = NULL, lease_until = 0"
                " WHERE id = ?",
                (
                    postponed.not_before,
                    postponed.deadline_at,
                    postponed.unreachable_since,
                    postponed.reason,
                    job.id,
                ),
            )

    async def let_go(self) -> None:
        """Gives back every lease, so that the next process need not wait for them to run out."""
        async with self._database.transaction() as connection:
            await connection.execute(
                "UPDATE jobs SET lease_owner = NULL, lease_until = 0 WHERE lease_owner = ?", (self._owner,)
            )


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done. `volumes` is for a delete, `release_id` for a start or redeploy."""

    kind: Kind
    volumes: Volumes = Volumes.KEEP
    release_id: str | None = None


async def enqueue(
    connection: aiosqlite.Connection, deployment_id: str, order: Order, patience: Patience, now: float
) -> None:
    """Records the job, in the transaction of the order; what was queued before is superseded by the new order."""
    superseded = await connection.execute_fetchall(
        "SELECT release_id FROM jobs WHERE deployment_id = ? AND status = 'queued' AND release_id IS NOT NULL",
        (deployment_id,),
    )
    await releases.fail(connection, [row["release_id"] for row in superseded], _SUPERSEDED)
    await connection.execute(
        "UPDATE jobs SET status = 'superseded', finished_at = ? WHERE deployment_id = ? AND status = 'queued'",
        (now, deployment_id),
    )
    await connection.execute(
        "INSERT INTO jobs (id, deployment_id, kind, volumes, release_id, status, not_before, deadline_at, created_at)"
        " VALUES (?, ?, ?, ?, ?, 'queued', ?, ?, ?)",
        (
            new_id("job_"),
            deployment_id,
            order.kind.value,
            order.volumes.value,
            order.release_id,
            now,
            deadline_of(order.kind, patience, now),
            now,
        ),
    )


def _effects(job: Job, outcome: Settled) -> Effects:
    up = outcome.trigger is Trigger.UP
    return Effects(
        reason=outcome.reason,
        release_id=job.release_id if up else None,
        kept=outcome.trigger is Trigger.KEPT,
        by_drift=outcome.may_recover,
        given_up=outcome.given_up,
    )


async def _settle_release(connection: aiosqlite.Connection, job: Job, outcome: Settled, now: float) -> None:
    """What the job had to deploy ran or did not; what was only started again may have got another name on its node."""
    if outcome.trigger is Trigger.UP and outcome.deployed is not None:
        await releases.succeed(connection, job.deployment_id, job.release_id, outcome.deployed, now)
    elif job.release_id is not None and outcome.trigger in {Trigger.FAIL, Trigger.KEPT}:
        reason = outcome.reason or "It did not come up."
        await releases.fail(connection, [job.release_id], reason)
        await releases.give_up_rollback(connection, job.deployment_id, job.release_id, now)
        if job.kind is Kind.REDEPLOY:
            happening = Happening(type=REDEPLOY_FAILED, message=reason, origin=job.id, at=now)
            await write_happening(connection, job.deployment_id, happening)


def _job(row: Row) -> Job:
    return Job(
        id=row["id"],
        deployment_id=row["deployment_id"],
        kind=Kind(row["kind"]),
        volumes=Volumes(row["volumes"]),
        release_id=row["release_id"],
        attempts=row["attempts"],
        deadline_at=row["deadline_at"],
        unreachable_since=row["unreachable_since"],
    )
