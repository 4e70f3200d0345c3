"""Projects and their domains in SQLite."""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import aiosqlite

from shared.database import Database, Row
from worker.mesh.table import Visibility
from worker.projects.model import DomainTaken, Project, ProjectExists, ProjectUnknown, State, Wanted
from worker.runtime.engine import Limits

_SELECT = """
SELECT p.*, (SELECT json_group_array(domain) FROM (SELECT domain FROM domains d
             WHERE d.project_id = p.project_id ORDER BY domain)) AS domain_list
FROM projects p
"""


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a project keeps encrypted."""

    environment: bytes | None
    webhook_secret: bytes | None


class ProjectStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, project: Project, sealed: Sealed) -> None:
        """Raises ProjectExists, DomainTaken."""
        async with self._database.transaction() as writer:
            try:
                await writer.execute(
                    "INSERT INTO projects (project_id, org_id, name, visibility, limits, environment, webhook_secret, created_at)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        project.project_id,
                        project.org_id,
                        project.name,
                        project.visibility,
                        json.dumps(asdict(project.limits)),
                        sealed.environment,
                        sealed.webhook_secret,
                        project.created_at,
                    ),
                )
            except sqlite3.IntegrityError as error:
                raise ProjectExists(f"The project {project.project_id} exists on this node.") from error
            await _claim(writer, project.project_id, project.domains)

    async def get(self, project_id: str) -> Project:
        """Raises ProjectUnknown, also for one that is being deleted, which `find` still finds."""
        project = await self.find(project_id)
        if project is None:
            raise ProjectUnknown(f"There is no project {project_id} on this node.")
        if project.wanted is Wanted.DELETED:
            raise ProjectUnknown(f"The project {project_id} is being deleted.")
        return project

    async def find(self, project_id: str) -> Project | None:
        row = await self._database.fetch_one(f"{_SELECT} WHERE p.project_id = ?", (project_id,))
        return None if row is None else _project(row)

    async def page(self, after: str, limit: int) -> list[Project]:
        """In the order of their ids, those after `after`."""
        rows = await self._database.fetch_all(
            f"{_SELECT} WHERE p.project_id > ? ORDER BY p.project_id LIMIT ?", (after, limit)
        )
        return [_project(row) for row in rows]

    async def all(self) -> list[Project]:
        return [_project(row) for row in await self._database.fetch_all(_SELECT)]

    async def count(self) -> int:
        row = await self._database.fetch_one("SELECT COUNT(*) AS projects FROM projects")
        return 0 if row is None else int(row["projects"])

    async def orgs(self) -> set[str]:
        return {
            row["org_id"] for row in await self._database.fetch_all("SELECT DISTINCT org_id FROM projects")
        }

    async def environment(self, project_id: str) -> bytes | None:
        row = await self._database.fetch_one(
            "SELECT environment FROM projects WHERE project_id = ?", (project_id,)
        )
        return None if row is None else row["environment"]

    async def webhook_secret(self, project_id: str) -> bytes | None:
        """Sealed; None without one. Raises ProjectUnknown."""
        row = await self._database.fetch_one(
            "SELECT webhook_secret FROM projects WHERE project_id = ?", (project_id,)
        )
        if row is None:
            raise ProjectUnknown(f"There is no project {project_id} on this node.")
        return None if row["webhook_secret"] is None else bytes(row["webhook_secret"])

    async def set_environment(self, project_id: str, sealed: bytes) -> None:
        await self._write("UPDATE projects SET environment = ? WHERE project_id = ?", sealed, project_id)

    async def set_visibility(self, project_id: str, visibility: Visibility) -> None:
        await self._write("UPDATE projects SET visibility = ? WHERE project_id = ?", visibility, project_id)

    async def want(self, project_id: str, wanted: Wanted) -> None:
        """Never takes back a wish to delete."""
        await self._write(
            "UPDATE projects SET wanted = ? WHERE project_id = ? AND wanted <> 'deleted'", wanted, project_id
        )

    async def want_restart(self, project_id: str) -> None:
        """Starting from now on, in one step: whoever sees it running meanwhile (`see`) has seen it before."""
        await self._write(
            "UPDATE projects SET wanted = 'running', restart_wanted = 1, state = 'starting', state_reason = ''"
            " WHERE project_id = ? AND wanted <> 'deleted'",
            project_id,
        )

    async def want_deleted(self, project_id: str, *, drop_volumes: bool) -> None:
        await self._write(
            "UPDATE projects SET wanted = 'deleted', drop_volumes = ? WHERE project_id = ?",
            drop_volumes,
            project_id,
        )

    async def see(self, project_id: str, state: State, reason: str = "") -> None:
        """A project that is to be restarted is not running, whatever was seen just before somebody asked for that."""
        await self._write(
            "UPDATE projects SET state = ?1, state_reason = ?2 WHERE project_id = ?3 AND NOT (?1 = 'running' AND restart_wanted)",
            state,
            reason,
            project_id,
        )

    async def restarted(self, project_id: str) -> None:
        await self._write("UPDATE projects SET restart_wanted = 0 WHERE project_id = ?", project_id)

    async def add_domain(self, project_id: str, domain: str) -> None:
        """No error when the project holds it already; raises DomainTaken."""
        async with self._database.transaction() as writer:
            await _claim(writer, project_id, (domain,))

    async def remove_domain(self, project_id: str, domain: str) -> None:
        await self._write("DELETE FROM domains WHERE project_id = ? AND domain = ?", project_id, domain)

    async def remove(self, project_id: str) -> None:
        async with self._database.transaction() as writer:
            await writer.execute("DELETE FROM events WHERE project_id = ?", (project_id,))
            await writer.execute("DELETE FROM projects WHERE project_id = ?", (project_id,))

    async def _write(self, sql: str, *parameters: object) -> None:
        async with self._database.transaction() as writer:
            await writer.execute(sql, parameters)


async def _claim(writer: aiosqlite.Connection, project_id: str, domains: Iterable[str]) -> None:
    for domain in domains:
        await writer.execute(
            "INSERT INTO domains (domain, project_id) VALUES (?, ?) ON CONFLICT DO NOTHING",
            (domain, project_id),
        )
        async with writer.execute("SELECT project_id FROM domains WHERE domain = ?", (domain,)) as cursor:
            holder = await cursor.fetchone()
        if holder is None or holder["project_id"] != project_id:
            raise DomainTaken(f"The domain {domain} belongs to another project on this node.")


def _project(row: Row) -> Project:
    return Project(
        project_id=row["project_id"],
        org_id=row["org_id"],
        name=row["name"],
        visibility=Visibility(row["visibility"]),
        limits=Limits(**json.loads(row["limits"])),
        domains=tuple(json.loads(row["domain_list"])),
        created_at=row["created_at"],
        wanted=Wanted(row["wanted"]),
        restart_wanted=bool(row["restart_wanted"]),
        drop_volumes=bool(row["drop_volumes"]),
        state=State(row["state"]),
        state_reason=row["state_reason"],
        release_id=row["release_id"],
    )
