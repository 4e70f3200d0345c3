"""Reading a deployment: its row, its variables, and what of it waits for the next release."""

import json
from collections.abc import Iterable, Mapping

import aiosqlite

from hoster.deployments.model import Deployment, Visibility
from hoster.deployments.resources import Resources
from hoster.deployments.source_columns import source_of
from hoster.deployments.transitions import State
from hoster.templates.model import HIDDEN, Scalar
from shared.database import Row

SELECT = """
    SELECT d.*, (SELECT r.template_revision FROM releases r WHERE r.id = d.release_id) AS running_revision,
      json_object(
        'all', json((SELECT json_group_object(v.name, CASE WHEN v.sealed IS NULL THEN json(v.value) ELSE NULL END)
                     FROM deployment_variables v WHERE v.deployment_id = d.id)),
        'set', json((SELECT json_group_array(v.name) FROM deployment_variables v
                       LEFT JOIN release_variables r ON r.release_id = d.release_id AND r.name = v.name
                     WHERE d.release_id IS NOT NULL AND v.deployment_id = d.id
                       AND (r.name IS NULL OR v.value IS NOT r.value OR v.sealed IS NOT r.sealed))),
        'unset', json((SELECT json_group_array(r.name) FROM release_variables r
                       WHERE r.release_id = d.release_id AND NOT EXISTS
                         (SELECT 1 FROM deployment_variables v WHERE v.deployment_id = d.id AND v.name = r.name)))
      ) AS variables,
      (SELECT json_group_array(m.hostname) FROM domains m WHERE m.deployment_id = d.id AND m.verified_at IS NOT NULL) AS domains
    FROM deployments d
"""
LIVE = f"{SELECT} WHERE d.status <> 'deleted'"


async def read(connection: aiosqlite.Connection, deployment_id: str, user_id: str) -> Deployment | None:
    """Within a transaction."""
    rows = await connection.execute_fetchall(
        f"{LIVE} AND d.id = ? AND d.user_id = ?", (deployment_id, user_id)
    )
    found = next(iter(rows), None)
    return None if found is None else deployment_of(found)


async def read_also_deleted(connection: aiosqlite.Connection, deployment_id: str) -> Deployment:
    """For answering from the record of an operation."""
    rows = await connection.execute_fetchall(f"{SELECT} WHERE d.id = ?", (deployment_id,))
    return deployment_of(next(iter(rows)))


def deployment_of(row: Row) -> Deployment:
    variables = json.loads(row["variables"])
    shown: Mapping[str, Scalar | None] = variables["all"]
    return Deployment(
        id=row["id"],
        user_id=row["user_id"],
        org_id=row["org_id"],
        name=row["name"],
        project_id=row["project_id"],
        source=source_of(row),
        visibility=Visibility(row["visibility"]),
        node_visibility=Visibility(row["node_visibility"]) if row["node_visibility"] else None,
        status=State(row["status"]),
        status_reason=row["status_reason"],
        requested_node_id=row["requested_node_id"],
        requested_region=row["requested_region"],
        required_capabilities=frozenset(json.loads(row["required_capabilities"])),
        node_id=row["node_id"],
        resources=Resources(row["cpu_millis"], row["memory_mb"], row["disk_mb"]),
        release_id=row["release_id"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        started_at=row["started_at"],
        stopped_at=row["stopped_at"],
        variables={name: HIDDEN if value is None else value for name, value in shown.items()},
        domains=tuple(sorted(json.loads(row["domains"]))),
        pending_changes=_pending_changes(row, (*variables["set"], *variables["unset"])),
    )


def _pending_changes(row: Row, variables: Iterable[str]) -> tuple[str, ...]:
    """Nothing can wait as long as nothing was deployed: the first release takes everything as it is."""
    if row["release_id"] is None:
        return ()
    found = {f"variables.{name}" for name in variables}
    if row["template_revision"] != row["running_revision"]:
        found.add("template_revision")
    if row["visibility"] != row["node_visibility"]:
        found.add("visibility")
    return tuple(sorted(found))
