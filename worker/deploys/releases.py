"""Releases in SQLite: the last five of a project, so that each can be run again."""

import json
from dataclasses import asdict

import aiosqlite

from shared.database import Database, Row
from worker.deploys.model import Release, ReleaseImage, ReleaseMissing, ReleaseUnknown
from worker.deploys.sealing import RequestCipher

KEPT_RELEASES = 5


class ReleaseStore:
    def __init__(self, database: Database, cipher: RequestCipher) -> None:
        self._database = database
        self._cipher = cipher

    async def get(self, release_id: str) -> Release:
        """Raises ReleaseMissing."""
        row = await self._database.fetch_one("SELECT * FROM releases WHERE release_id = ?", (release_id,))
        if row is None:
            raise ReleaseMissing(f"The release {release_id} is no longer kept.")
        return self._release(row)

    async def of_project(self, project_id: str, release_id: str) -> Release:
        """Raises ReleaseUnknown, also for a release of another project."""
        row = await self._database.fetch_one(
            "SELECT * FROM releases WHERE release_id = ? AND project_id = ?", (release_id, project_id)
        )
        if row is None:
            raise ReleaseUnknown(f"The project {project_id} has no release {release_id}, or no longer.")
        return self._release(row)

    async def newest(self, project_id: str) -> list[Release]:
        rows = await self._database.fetch_all(
            "SELECT * FROM releases WHERE project_id = ? ORDER BY created_at DESC LIMIT ?",
            (project_id, KEPT_RELEASES),
        )
        return [self._release(row) for row in rows]

    def _release(self, row: Row) -> Release:
        images: dict[str, dict[str, str | None]] = json.loads(row["images"])
        return Release(
            release_id=row["release_id"],
            project_id=row["project_id"],
            request=self._cipher.read(row),
            images={
                service: ReleaseImage(str(image["image_id"]), image["digest"])
                for service, image in images.items()
            },
            revision=row["revision"],
            environment=row["environment"],
            created_at=row["created_at"],
        )


async def insert_release(writer: aiosqlite.Connection, release: Release, sealed_request: bytes) -> None:
    """Adds the newest and forgets what is older than the last five."""
    images = {service: asdict(image) for service, image in release.images.items()}
    await writer.execute(
        "INSERT INTO releases (release_id, project_id, request, sealed_request, images, revision, environment, created_at)"
        " VALUES (?, ?, '', ?, ?, ?, ?, ?)",
        (
            release.release_id,
            release.project_id,
            sealed_request,
            json.dumps(images),
            release.revision,
            release.environment,
            release.created_at,
        ),
    )
    await writer.execute(
        "DELETE FROM releases WHERE project_id = ? AND release_id NOT IN"
        " (SELECT release_id FROM releases WHERE project_id = ? ORDER BY created_at DESC, rowid DESC LIMIT ?)",
        (release.project_id, release.project_id, KEPT_RELEASES),
    )
