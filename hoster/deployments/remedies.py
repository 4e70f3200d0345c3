"""What is recorded of a node's deployments at rest, and the writing of what was decided about them.

A decision is written only while the deployment is still exactly what the decision was made about, and no job is open for it.
"""

from collections.abc import Iterable

import aiosqlite

from hoster.deployments.drift import Decision, Recorded, Remedy
from hoster.deployments.model import Happening
from hoster.deployments.moves import Effects, advance, write_happening
from hoster.deployments.rows import read_also_deleted
from hoster.deployments.transitions import State, Trigger
from hoster.jobs.model import Kind, Patience, Volumes
from hoster.jobs.store import Order, enqueue
from hoster.releases.store import begin
from shared.clock import Clock
from shared.database import Database, Row
from shared.ids import new_id

DRIFT = "drift"

_AT_REST = """
    SELECT d.id, d.project_id, d.org_id, d.status, d.failed_by_drift, d.given_up_at > :since AS given_up, d.updated_at FROM deployments d
    WHERE NOT EXISTS (SELECT 1 FROM jobs j WHERE j.deployment_id = d.id AND (j.status = 'queued' OR j.lease_until > :now))
"""
TRIGGERS = {
    Remedy.FAIL: Trigger.FAIL,
    Remedy.RECOVER: Trigger.RECOVERED,
    Remedy.BRING_BACK: Trigger.LOST,
    Remedy.RESUME: Trigger.RESUMED,
    Remedy.STOP: Trigger.STRAYED,
    Remedy.DELETE: Trigger.GONE,
}
_JOBS = {
    Remedy.BRING_BACK: Kind.START,
    Remedy.RESUME: Kind.START,
    Remedy.STOP: Kind.STOP,
    Remedy.DELETE: Kind.DELETE,
}


class Remedies:
    def __init__(self, database: Database, clock: Clock, patience: Patience) -> None:
        self._database = database
        self._clock = clock
        self._patience = patience

    async def recorded(self, node_id: str) -> list[Recorded]:
        """The live deployments on a node. Read this before the node is asked: what changes meanwhile is then noticed."""
        rows = await self._database.fetch_all(
            f"{_AT_REST} AND d.node_id = :node AND d.status IN ('running', 'stopped', 'failed')",
            self._moments() | {"node": node_id},
        )
        return [_recorded(row) for row in rows]

    async def deleted(self, project_ids: Iterable[str], before: float) -> list[Recorded]:
        """Those of the projects whose deployment was deleted before that moment."""
        found: list[Recorded] = []
        for project_id in project_ids:
            row = await self._database.fetch_one(
                f"{_AT_REST} AND d.project_id = :project AND d.status = 'deleted' AND d.updated_at < :before",
                self._moments() | {"project": project_id, "before": before},
            )
            if row is not None:
                found.append(_recorded(row))
        return found

    async def apply(self, decision: Decision) -> bool:
        """False when the deployment is not any more what was decided about: the next comparison will tell."""
        now = self._clock.now()
        deployment_id = decision.recorded.deployment_id
        async with self._database.transaction() as connection:
            if not await self._is_unchanged(connection, decision.recorded):
                return False
            effects = Effects(
                reason=_lasting(decision),
                by_drift=decision.remedy is Remedy.FAIL,
                resumed=decision.remedy is Remedy.RESUME,
            )
            if not await advance(connection, deployment_id, TRIGGERS[decision.remedy], effects, now):
                return False
            kind = _JOBS.get(decision.remedy)
            if kind is not None:
                volumes = await _volumes(connection, deployment_id)
                release_id = await _release_of(connection, decision, now)
                order = Order(kind, volumes, release_id)
                await enqueue(connection, deployment_id, order, self._patience, now)
            happening = Happening(type=DRIFT, message=decision.reason, origin=new_id("drift_"), at=now)
            await write_happening(connection, deployment_id, happening)
        return True

    async def _is_unchanged(self, connection: aiosqlite.Connection, recorded: Recorded) -> bool:
        rows = await connection.execute_fetchall(
            f"{_AT_REST} AND d.id = :id", self._moments() | {"id": recorded.deployment_id}
        )
        return any(_recorded(row) == recorded for row in rows)

    def _moments(self) -> dict[str, object]:
        now = self._clock.now()
        return {"now": now, "since": now - self._patience.resume_s}


def _lasting(decision: Decision) -> str | None:
    """The reason as the deployment shows it: one that runs needs none."""
    return None if decision.remedy is Remedy.RECOVER else decision.reason


async def _release_of(connection: aiosqlite.Connection, decision: Decision, now: float) -> str | None:
    """What a start that is resumed deploys, as an order of the owner would."""
    if decision.remedy is not Remedy.RESUME:
        return None
    deployment = await read_also_deleted(connection, decision.recorded.deployment_id)
    return await begin(connection, deployment, None, now) if deployment.needs_release else None


async def _volumes(connection: aiosqlite.Connection, deployment_id: str) -> Volumes:
    """What the owner said of the volumes when deleting it; only a delete reads this."""
    rows = await connection.execute_fetchall(
        "SELECT volumes FROM jobs WHERE deployment_id = ? AND kind = 'delete' ORDER BY seq DESC LIMIT 1",
        (deployment_id,),
    )
    return next((Volumes(row["volumes"]) for row in rows), Volumes.KEEP)


def _recorded(row: Row) -> Recorded:
    return Recorded(
        deployment_id=row["id"],
        project_id=row["project_id"],
        org_id=row["org_id"],
        state=State(row["status"]),
        failed_by_drift=bool(row["failed_by_drift"]),
        given_up=bool(row["given_up"]),
        updated_at=row["updated_at"],
    )
