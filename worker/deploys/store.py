"""Deploys and their steps in SQLite. Every change of status is compare-and-swap and goes through the table of transitions."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace

import aiosqlite

from shared.clock import Clock
from shared.database import Database, Row
from worker.deploys.model import (
    Deploy,
    DeployPastCancelling,
    DeployUnknown,
    Ending,
    HealthAttempt,
    Release,
    Step,
)
from worker.deploys.releases import insert_release
from worker.deploys.request import DeployRequest
from worker.deploys.sealing import RequestCipher
from worker.deploys.transitions import (
    CANDIDATE,
    DEADLINES_S,
    ENDED,
    Status,
    TransitionRefused,
    check_transition,
)

KEPT_DEPLOYS = 50


class DeployStore:
    def __init__(self, database: Database, cipher: RequestCipher, clock: Clock) -> None:
        self._database = database
        self._cipher = cipher
        self._clock = clock

    async def add(self, deploy_id: str, project_id: str, request: DeployRequest, key: str | None) -> Deploy:
        """Queues, in place of whatever is queued already. The same `key` answers the deploy that it made before."""
        now = self._clock.now()
        async with self._database.transaction() as writer:
            known = await _by_key(writer, project_id, key)
            if known is not None:
                return self._deploy(known)
            await writer.execute(
                "UPDATE deploys SET status = ?, finished_at = ?, reason = ? WHERE project_id = ? AND status = ?",
                (Status.SUPERSEDED, now, f"replaced by {deploy_id}", project_id, Status.QUEUED),
            )
            await writer.execute(
                "INSERT INTO deploys (deploy_id, project_id, sequence, status, request, sealed_request, idempotency_key, created_at)"
                " SELECT ?, ?, COALESCE(MAX(sequence), 0) + 1, ?, '', ?, ?, ? FROM deploys WHERE project_id = ?",
                (
                    deploy_id,
                    project_id,
                    Status.QUEUED,
                    self._cipher.seal(project_id, request),
                    key,
                    now,
                    project_id,
                ),
            )
            await writer.execute(
                "DELETE FROM deploys WHERE project_id = ? AND finished_at IS NOT NULL"
                " AND sequence <= (SELECT MAX(sequence) FROM deploys WHERE project_id = ?) - ?",
                (project_id, project_id, KEPT_DEPLOYS),
            )
        return await self.get(project_id, deploy_id)

    async def get(self, project_id: str, deploy_id: str) -> Deploy:
        """Raises DeployUnknown, also for a deploy of another project."""
        row = await self._database.fetch_one(
            "SELECT * FROM deploys WHERE project_id = ? AND deploy_id = ?", (project_id, deploy_id)
        )
        if row is None:
            raise DeployUnknown(f"The project {project_id} has no deploy {deploy_id}.")
        return self._deploy(row)

    async def newest(self, project_id: str, limit: int) -> list[Deploy]:
        rows = await self._database.fetch_all(
            "SELECT * FROM deploys WHERE project_id = ? ORDER BY sequence DESC LIMIT ?", (project_id, limit)
        )
        return [self._deploy(row) for row in rows]

    async def steps(self, deploy_id: str) -> list[Step]:
        rows = await self._database.fetch_all(
            "SELECT * FROM deploy_steps WHERE deploy_id = ? ORDER BY position", (deploy_id,)
        )
        return [
            Step(
                name=row["name"],
                started_at=row["started_at"],
                finished_at=row["finished_at"],
                detail=row["detail"],
            )
            for row in rows
        ]

    async def oldest_unfinished(self, project_id: str) -> Deploy | None:
        row = await self._database.fetch_one(
            "SELECT * FROM deploys WHERE project_id = ? AND finished_at IS NULL ORDER BY sequence LIMIT 1",
            (project_id,),
        )
        return None if row is None else self._deploy(row)

    async def projects_in_progress(self) -> set[str]:
        rows = await self._database.fetch_all(
            "SELECT DISTINCT project_id FROM deploys WHERE finished_at IS NULL"
        )
        return {row["project_id"] for row in rows}

    async def begin_step(
        self, deploy: Deploy, status: Status, deadline_s: float, detail_of_last: str = ""
    ) -> Deploy:
        """Records a step before it is done; raises TransitionRefused when the deploy is not where `deploy` says, or is to be cancelled."""
        async with self._database.transaction() as writer:
            await self._move(writer, deploy, status)
            await self._open_step(writer, deploy, status, deadline_s, detail_of_last)
            if status is Status.PREPARING:
                await writer.execute(
                    "UPDATE deploys SET attempts = attempts + 1 WHERE deploy_id = ?", (deploy.deploy_id,)
                )
        return replace(deploy, status=status)

    async def choose(self, deploy: Deploy, release: Release, attempts: tuple[HealthAttempt, ...]) -> Deploy:
        """The checkpoint: in one transaction the deploy is switching, its release is the project's, and the project is to run."""
        async with self._database.transaction() as writer:
            await self._move(writer, deploy, Status.SWITCHING)
            await self._open_step(writer, deploy, Status.SWITCHING, DEADLINES_S[Status.SWITCHING], "healthy")
            await writer.execute(
                "UPDATE deploys SET health_attempts = ? WHERE deploy_id = ?",
                (_attempts_json(attempts), deploy.deploy_id),
            )
            sealed = self._cipher.seal(release.project_id, release.request)
            await insert_release(writer, release, sealed)
            await writer.execute(
                "UPDATE projects SET release_id = ?, state = 'running', state_reason = '',"
                " wanted = CASE wanted WHEN 'deleted' THEN 'deleted' ELSE 'running' END WHERE project_id = ?",
                (release.release_id, deploy.project_id),
            )
        return replace(deploy, status=Status.SWITCHING)

    async def tell(self, deploy_id: str, log_tail: Sequence[str]) -> None:
        """The last lines of what is going on, replaced by each further call."""
        async with self._database.transaction() as writer:
            await writer.execute(
                "UPDATE deploys SET log_tail = ? WHERE deploy_id = ?", (json.dumps(log_tail), deploy_id)
            )

    async def activate(self, deploy: Deploy, detail: str) -> None:
        async with self._database.transaction() as writer:
            await self._move(writer, deploy, Status.ACTIVE)
            await self._close_step(writer, deploy, detail)

    async def end(self, deploy: Deploy, ending: Ending) -> None:
        async with self._database.transaction() as writer:
            await self._move(writer, deploy, ending.status)
            await self._close_step(writer, deploy, ending.reason)
            await writer.execute(
                "UPDATE deploys SET reason = ?, log_tail = ?, health_attempts = ? WHERE deploy_id = ?",
                (
                    ending.reason,
                    json.dumps(ending.log_tail),
                    _attempts_json(ending.health_attempts),
                    deploy.deploy_id,
                ),
            )

    async def requeue(self, deploy: Deploy, detail: str) -> None:
        """Back to the start, before the checkpoint only, unless something newer is queued by now."""
        async with self._database.transaction() as writer:
            await self._move(writer, deploy, Status.QUEUED)
            await self._close_step(writer, deploy, detail)
            await writer.execute(
                "UPDATE deploys SET status = ?, finished_at = ?, reason = 'replaced by a newer deploy'"
                " WHERE deploy_id = ? AND EXISTS (SELECT 1 FROM deploys newer WHERE newer.project_id = deploys.project_id"
                " AND newer.status = ? AND newer.sequence > deploys.sequence)",
                (Status.SUPERSEDED, self._clock.now(), deploy.deploy_id, Status.QUEUED),
            )

    async def cancel(self, project_id: str, deploy_id: str) -> Deploy:
        """A queued deploy is cancelled; one that is running is marked, and cannot switch any more. Raises DeployPastCancelling."""
        deploy = await self.get(project_id, deploy_id)
        async with self._database.transaction() as writer:
            await self._cancel_where(writer, "deploy_id = ?", deploy_id)
        after = await self.get(project_id, deploy_id)
        if after.status is not Status.CANCELLED and not after.cancel_wanted:
            raise DeployPastCancelling(f"The deploy is {deploy.status} and cannot be cancelled.")
        return after

    async def stop_project(self, project_id: str) -> None:
        """Wants the project stopped and cancels its deploys, together: a deploy cannot switch on what was stopped."""
        async with self._database.transaction() as writer:
            await self._cancel_where(writer, "project_id = ?", project_id)
            await writer.execute(
                "UPDATE projects SET wanted = 'stopped', restart_wanted = 0 WHERE project_id = ? AND wanted <> 'deleted'",
                (project_id,),
            )

    async def cancel_all(self, project_id: str) -> None:
        async with self._database.transaction() as writer:
            await self._cancel_where(writer, "project_id = ?", project_id)

    async def _cancel_where(self, writer: aiosqlite.Connection, condition: str, parameter: str) -> None:
        await writer.execute(
            f"UPDATE deploys SET status = ?, finished_at = ?, reason = 'cancelled' WHERE {condition} AND status = ?",  # noqa: S608 - the condition is one of two constants above
            (Status.CANCELLED, self._clock.now(), parameter, Status.QUEUED),
        )
        marks = ", ".join("?" for _ in CANDIDATE)
        await writer.execute(
            f"UPDATE deploys SET cancel_wanted = 1 WHERE {condition} AND status IN ({marks})",  # noqa: S608 - as above
            (parameter, *CANDIDATE),
        )

    async def _move(self, writer: aiosqlite.Connection, deploy: Deploy, status: Status) -> None:
        check_transition(deploy.status, status)
        onward = status not in ENDED and status is not Status.QUEUED
        changed = await writer.execute(
            "UPDATE deploys SET status = ?, finished_at = ? WHERE deploy_id = ? AND status = ? AND NOT (? AND cancel_wanted)",
            (status, self._clock.now() if status in ENDED else None, deploy.deploy_id, deploy.status, onward),
        )
        if changed.rowcount == 0:
            raise TransitionRefused(f"the deploy is no longer {deploy.status}, or is to be cancelled")

    async def _open_step(
        self,
        writer: aiosqlite.Connection,
        deploy: Deploy,
        status: Status,
        deadline_s: float,
        detail_of_last: str,
    ) -> None:
        now = self._clock.now()
        await self._close_step(writer, deploy, detail_of_last)
        await writer.execute(
            "INSERT INTO deploy_steps (deploy_id, position, name, started_at, deadline_at)"
            " SELECT ?, COALESCE(MAX(position), 0) + 1, ?, ?, ? FROM deploy_steps WHERE deploy_id = ?",
            (deploy.deploy_id, status, now, now + deadline_s, deploy.deploy_id),
        )

    async def _close_step(self, writer: aiosqlite.Connection, deploy: Deploy, detail: str) -> None:
        await writer.execute(
            "UPDATE deploy_steps SET finished_at = ?, detail = ? WHERE deploy_id = ? AND finished_at IS NULL",
            (self._clock.now(), detail, deploy.deploy_id),
        )

    def _deploy(self, row: Row) -> Deploy:
        return Deploy(
            deploy_id=row["deploy_id"],
            project_id=row["project_id"],
            status=Status(row["status"]),
            request=self._cipher.read(row),
            attempts=row["attempts"],
            cancel_wanted=bool(row["cancel_wanted"]),
            reason=row["reason"],
            log_tail=tuple(json.loads(row["log_tail"])),
            health_attempts=tuple(HealthAttempt(**entry) for entry in json.loads(row["health_attempts"])),
            created_at=row["created_at"],
            finished_at=row["finished_at"],
        )


async def _by_key(writer: aiosqlite.Connection, project_id: str, key: str | None) -> Row | None:
    if key is None:
        return None
    async with writer.execute(
        "SELECT * FROM deploys WHERE project_id = ? AND idempotency_key = ?", (project_id, key)
    ) as cursor:
        return await cursor.fetchone()


def _attempts_json(attempts: tuple[HealthAttempt, ...]) -> str:
    return json.dumps([asdict(attempt) for attempt in attempts])
