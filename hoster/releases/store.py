"""Releases in the database. They are written in the transactions of the orders and jobs that they belong to."""

import json
from collections.abc import Iterable

import aiosqlite
from aiohttp import web

from hoster.deployments.model import Deployment
from hoster.deployments.resources import Resources
from hoster.deployments.settings import opened
from hoster.deployments.source_columns import source_of
from hoster.paging import Page, PageRequest, counted, page_of
from hoster.releases.model import Deployed, Release, ReleaseImage, ReleaseStatus
from hoster.templates.model import HIDDEN
from hoster.templates.variables import Values
from hoster.vault import Vault
from shared.database import Database, Row
from shared.ids import new_id

KEPT = 20
"""How many releases of a deployment are remembered."""

_SELECT = """
    SELECT r.*, (SELECT json_group_object(v.name, CASE WHEN v.sealed IS NULL THEN json(v.value) ELSE NULL END)
                 FROM release_variables v WHERE v.release_id = r.id) AS variables
    FROM releases r
"""


class ReleaseStore:
    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def get(self, release_id: str) -> Release | None:
        row = await self._database.fetch_one(f"{_SELECT} WHERE r.id = ?", (release_id,))
        return None if row is None else _release(row)

    async def values(self, release: Release) -> Values:
        """Passwords in the clear: for the node alone. Raises VaultUnusable."""
        rows = await self._database.fetch_all(
            "SELECT name, value, sealed FROM release_variables WHERE release_id = ?", (release.id,)
        )
        return opened(self._vault, release.deployment_id, rows)

    async def page(self, deployment_id: str, request: PageRequest) -> Page[Release]:
        rows = await self._database.fetch_all(
            f"{_SELECT} WHERE r.deployment_id = :id AND r.seq < :before ORDER BY r.seq DESC LIMIT :limit",
            {"id": deployment_id, "before": request.below, "limit": request.limit + 1},
        )
        total = await self._database.fetch_one(
            "SELECT count(*) FROM releases WHERE deployment_id = ?", (deployment_id,)
        )
        return page_of(rows, request, _release, counted(total))


RELEASE_STORE = web.AppKey("release_store", ReleaseStore)


async def begin(
    connection: aiosqlite.Connection, deployment: Deployment, restores: str | None, now: float
) -> str:
    """The deployment as its owner wants it now becomes a release that is to be deployed. Returns its id. The oldest ones are
    forgotten, but for what runs and what is to be restored.
    """
    release_id = new_id("rel_")
    await connection.execute(
        "INSERT INTO releases (id, deployment_id, template_id, template_revision, source, cpu_millis, memory_mb, disk_mb, restores,"
        " status, created_at)"
        " SELECT :release, id, template_id, template_revision, source, cpu_millis, memory_mb, disk_mb, :restores, 'deploying', :now"
        " FROM deployments WHERE id = :id",
        {"release": release_id, "id": deployment.id, "restores": restores, "now": now},
    )
    await connection.execute(
        "INSERT INTO release_variables (release_id, name, value, sealed)"
        " SELECT ?, name, value, sealed FROM deployment_variables WHERE deployment_id = ?",
        (release_id, deployment.id),
    )
    await connection.execute(
        "DELETE FROM releases WHERE deployment_id = :id AND status <> 'deploying' AND id IS NOT :restores"
        " AND id IS NOT (SELECT release_id FROM deployments WHERE id = :id)"
        " AND seq <= (SELECT seq FROM releases WHERE deployment_id = :id ORDER BY seq DESC LIMIT 1 OFFSET :kept)",
        {"id": deployment.id, "restores": restores, "kept": KEPT},
    )
    return release_id


async def restore(connection: aiosqlite.Connection, release: Release, now: float) -> None:
    """The deployment's owner wants again what this release is."""
    await connection.execute(
        "UPDATE deployments SET (template_id, template_revision, source, cpu_millis, memory_mb, disk_mb) ="
        " (SELECT template_id, template_revision, source, cpu_millis, memory_mb, disk_mb FROM releases WHERE id = :release),"
        " updated_at = :now WHERE id = :id",
        {"release": release.id, "id": release.deployment_id, "now": now},
    )
    await connection.execute(
        "DELETE FROM deployment_variables WHERE deployment_id = ?", (release.deployment_id,)
    )
    await connection.execute(
        "INSERT INTO deployment_variables (deployment_id, name, value, sealed)"
        " SELECT ?, name, value, sealed FROM release_variables WHERE release_id = ?",
        (release.deployment_id, release.id),
    )


async def find_deployed(
    connection: aiosqlite.Connection, deployment_id: str, release_id: str
) -> Release | None:
    """Within a transaction: only what has run once can run again."""
    rows = await connection.execute_fetchall(
        f"{_SELECT} WHERE r.id = ? AND r.deployment_id = ? AND r.status = ?",
        (release_id, deployment_id, ReleaseStatus.DEPLOYED.value),
    )
    found = next(iter(rows), None)
    return None if found is None else _release(found)


async def succeed(
    connection: aiosqlite.Connection,
    deployment_id: str,
    release_id: str | None,
    deployed: Deployed,
    now: float,
) -> None:
    """It runs on the deployment's node; None is the current one, which was deployed once more."""
    await connection.execute(
        "UPDATE releases SET status = 'deployed', reason = NULL, images = :images, node_release = :name, deployed_at = :now,"
        " node_id = (SELECT node_id FROM deployments WHERE id = :deployment)"
        " WHERE id = coalesce(:id, (SELECT release_id FROM deployments WHERE id = :deployment))",
        {
            "images": json.dumps([image.as_json() for image in deployed.images]),
            "name": deployed.node_release,
            "now": now,
            "deployment": deployment_id,
            "id": release_id,
        },
    )


async def fail(connection: aiosqlite.Connection, release_ids: Iterable[str], reason: str) -> None:
    """Those of them that were still to be deployed."""
    await connection.executemany(
        "UPDATE releases SET status = 'failed', reason = ? WHERE id = ? AND status = 'deploying'",
        [(reason, release_id) for release_id in release_ids],
    )


_RUNS_BEFORE_ROLLBACK = f"""
    {_SELECT} JOIN deployments d ON d.release_id = r.id
    WHERE d.id = :id AND (SELECT n.restores FROM releases n WHERE n.id = :release) IS NOT NULL
      AND NOT EXISTS (SELECT name, value, sealed FROM deployment_variables WHERE deployment_id = :id
                      EXCEPT SELECT name, value, sealed FROM release_variables WHERE release_id = :release)
      AND NOT EXISTS (SELECT name, value, sealed FROM release_variables WHERE release_id = :release
                      EXCEPT SELECT name, value, sealed FROM deployment_variables WHERE deployment_id = :id)
"""  # noqa: S608 - constant text


async def give_up_rollback(
    connection: aiosqlite.Connection, deployment_id: str, release_id: str, now: float
) -> None:
    """A rollback that failed leaves no trace in what its owner wants, unless that was changed meanwhile."""
    rows = await connection.execute_fetchall(
        _RUNS_BEFORE_ROLLBACK, {"id": deployment_id, "release": release_id}
    )
    for row in rows:
        await restore(connection, _release(row), now)


def _release(row: Row) -> Release:
    variables = json.loads(row["variables"])
    return Release(
        id=row["id"],
        deployment_id=row["deployment_id"],
        source=source_of(row),
        resources=Resources(row["cpu_millis"], row["memory_mb"], row["disk_mb"]),
        variables={name: HIDDEN if value is None else value for name, value in variables.items()},
        restores=row["restores"],
        status=ReleaseStatus(row["status"]),
        reason=row["reason"],
        images=tuple(
            ReleaseImage(image["service"], image["image"], image["digest"])
            for image in json.loads(row["images"])
        ),
        node_id=row["node_id"],
        node_release=row["node_release"],
        created_at=row["created_at"],
        deployed_at=row["deployed_at"],
    )
