"""What webhooks have deployed, in SQLite."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.database import Database
from worker.webhooks.push import Push

KEPT_S = 30 * 86400.0
"""GitHub lets a delivery be repeated for three days."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """The push that was deployed last."""

    deploy_id: str
    after: str


class DeliveryStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def deploy_of(self, project_id: str, keys: Sequence[str]) -> str | None:
        """What the delivery has deployed, if it came before."""
        for key in keys:
            row = await self._database.fetch_one(
                "SELECT deploy_id FROM deliveries WHERE project_id = ? AND delivery = ?", (project_id, key)
            )
            if row is not None:
                return str(row["deploy_id"])
        return None

    async def last(self, project_id: str, branch: str) -> Delivered | None:
        row = await self._database.fetch_one(
            "SELECT deploy_id, after FROM deliveries WHERE project_id = ? AND branch = ?"
            " ORDER BY received_at DESC, rowid DESC LIMIT 1",
            (project_id, branch),
        )
        return None if row is None else Delivered(row["deploy_id"], row["after"])

    async def is_predecessor(self, project_id: str, push: Push) -> bool:
        """Whether a push that came already began where this one ends."""
        row = await self._database.fetch_one(
            "SELECT 1 FROM deliveries WHERE project_id = ? AND branch = ? AND before = ? LIMIT 1",
            (project_id, push.branch, push.after),
        )
        return row is not None

    async def add(
        self, project_id: str, keys: Sequence[str], push: Push, deploy_id: str, received_at: float
    ) -> None:
        async with self._database.transaction() as writer:
            await writer.execute("DELETE FROM deliveries WHERE received_at < ?", (received_at - KEPT_S,))
            for key in keys:
                await writer.execute(
                    "INSERT INTO deliveries (project_id, delivery, deploy_id, branch, before, after, received_at)"
                    " SELECT ?, ?, ?, ?, ?, ?, ? WHERE EXISTS (SELECT 1 FROM projects WHERE project_id = ?)"
                    " ON CONFLICT DO NOTHING",
                    (
                        project_id,
                        key,
                        deploy_id,
                        push.branch,
                        push.before,
                        push.after,
                        received_at,
                        project_id,
                    ),
                )
