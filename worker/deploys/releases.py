"""Releases in SQLite: the last five of a project, so that each can be run again."""

import json

import aiosqlite

from shared.database import Database, Row
from worker.deploys.model import DeployRequest, Release, ReleaseMissing

KEPT_RELEASES = 5


class ReleaseStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, release_id: str) -> Release:
        """Raises ReleaseMissing."""
        row = await self._database.fetch_one("SELECT * FROM releases WHERE release_id = ?", (release_id,))
        if row is None:
            raise ReleaseMissing(f"The release {release_id} is no longer kept.")
        return _release(row)

    async def newest(self, project_id: str) -> list[Release]:
        rows = await self._database.fetch_all(
            "SELECT * FROM releases WHERE project_id = ? ORDER BY created_at DESC LIMIT ?",
            (project_id, KEPT_RELEASES),
        )
        return [_release(row) for row in rows]


async def insert_release(writer: aiosqlite.Connection, release: Release) -> None:
    """Adds the newest and forgets what is older than the last five."""
    await writer.execute(
        "INSERT INTO releases (release_id, project_id, request, image_id, digest, environment, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            release.release_id,
            release.project_id,
            json.dumps(release.request.to_json()),
            release.image_id,
            release.digest,
            release.environment,
            release.created_at,
        ),
    )
    await writer.execute(
        "DELETE FROM releases WHERE project_id = ? AND release_id NOT IN"
        " (SELECT release_id FROM releases WHERE project_id = ? ORDER BY created_at DESC, rowid DESC LIMIT ?)",
        (release.project_id, release.project_id, KEPT_RELEASES),
    )


def _release(row: Row) -> Release:
    return Release(
        release_id=row["release_id"],
        project_id=row["project_id"],
        request=DeployRequest.from_json(json.loads(row["request"])),
        image_id=row["image_id"],
        digest=row["digest"],
        environment=row["environment"],
        created_at=row["created_at"],
    )
