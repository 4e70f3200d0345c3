"""Deployments in the database: reading them, and the compare-and-swap that is the only way to change a state."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import aiosqlite
from aiohttp import web

from hoster.deployments.limits import Usage
from hoster.deployments.model import (
    HIDDEN,
    Deployment,
    Event,
    Happening,
    Source,
    Visibility,
)
from hoster.deployments.resources import Resources
from hoster.deployments.sources import source_columns, source_of
from hoster.deployments.transitions import InvalidTransition, Move, Repeat, State, Trigger, decide
from hoster.paging import Page, PageRequest
from hoster.templates.model import Scalar
from hoster.templates.variables import Values
from hoster.vault import Vault
from shared.database import Database, Row
from shared.ids import new_id

_SELECT = """
    SELECT d.*, (SELECT json_group_object(v.name, CASE WHEN v.sealed IS NULL THEN json(v.value) ELSE NULL END)
                 FROM deployment_variables v WHERE v.deployment_id = d.id) AS variables,
           (SELECT json_group_array(m.hostname) FROM domains m
                 WHERE m.deployment_id = d.id AND m.verified_at IS NOT NULL) AS domains
    FROM deployments d
"""
_LIVE = f"{_SELECT} WHERE d.status <> 'deleted'"
_USAGE = """
    SELECT count(*) AS deployments, coalesce(sum(cpu_millis), 0) AS cpu_millis, coalesce(sum(memory_mb), 0) AS memory_mb,
           coalesce(sum(disk_mb), 0) AS disk_mb
    FROM deployments WHERE user_id = ? AND status <> 'deleted'
"""


class StateChanged(Exception):
    """Between reading a state and writing the next, someone else wrote: the compare-and-swap lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDeployment:
    id: str
    user_id: str
    org_id: str
    name: str
    project_id: str
    source: Source
    visibility: Visibility
    node_id: str | None
    region: str | None
    required_capabilities: frozenset[str]
    resources: Resources
    values: Values


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """What a change of state writes besides the state. None leaves a column as it is, but for `reason`, which is replaced."""

    reason: str | None = None
    node_id: str | None = None
    release_id: str | None = None
    by_drift: bool = False


class DeploymentStore:
    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def find(self, deployment_id: str, user_id: str) -> Deployment | None:
        row = await self._database.fetch_one(
            f"{_LIVE} AND d.id = ? AND d.user_id = ?",
            (deployment_id, user_id),
        )
        return None if row is None else deployment_of(row)

    async def get(self, deployment_id: str) -> Deployment | None:
        """Whoever asks: for jobs, never for a viewer."""
        row = await self._database.fetch_one(f"{_LIVE} AND d.id = ?", (deployment_id,))
        return None if row is None else deployment_of(row)

    async def get_also_deleted(self, deployment_id: str) -> Deployment:
        """For who has waited for the end of one; it must have existed."""
        [row] = await self._database.fetch_all(f"{_SELECT} WHERE d.id = ?", (deployment_id,))
        return deployment_of(row)

    async def state(self, deployment_id: str) -> State:
        row = await self._database.fetch_one("SELECT status FROM deployments WHERE id = ?", (deployment_id,))
        return State.DELETED if row is None else State(row["status"])

    async def page(self, user_id: str, request: PageRequest) -> Page[Deployment]:
        rows = await self._database.fetch_all(
            f"{_LIVE} AND d.user_id = :user AND (:before IS NULL OR d.seq < :before) ORDER BY d.seq DESC LIMIT :limit",
            {"user": user_id, "before": request.before, "limit": request.limit + 1},
        )
        total = (await self.usage(user_id)).deployments
        items = [deployment_of(row) for row in rows[: request.limit]]
        return Page(items, items[-1].seq if len(rows) > request.limit else None, total)

    async def usage(self, user_id: str) -> Usage:
        row = await self._database.fetch_one(_USAGE, (user_id,))
        return _usage(row)

    async def values(self, deployment_id: str) -> Mapping[str, str]:
        """Every variable as text, passwords opened: for the worker alone."""
        rows = await self._database.fetch_all(
            "SELECT name, value, sealed FROM deployment_variables WHERE deployment_id = ?", (deployment_id,)
        )
        shown = {row["name"]: json.loads(row["value"]) for row in rows if row["sealed"] is None}
        secret = {
            row["name"]: self._vault.open(row["sealed"], variable_row(deployment_id, row["name"]))
            for row in rows
            if row["sealed"] is not None
        }
        return Values(shown, secret).texts()

    async def insert(self, connection: aiosqlite.Connection, new: NewDeployment, now: float) -> None:
        """As `pending`, with its variables."""
        columns: dict[str, object] = {
            "id": new.id,
            "user_id": new.user_id,
            "org_id": new.org_id,
            "name": new.name,
            "project_id": new.project_id,
            **source_columns(new.source),
            "visibility": new.visibility.value,
            "status": State.PENDING.value,
            "requested_node_id": new.node_id,
            "requested_region": new.region,
            "required_capabilities": json.dumps(sorted(new.required_capabilities)),
            "cpu_millis": new.resources.cpu_millis,
            "memory_mb": new.resources.memory_mb,
            "disk_mb": new.resources.disk_mb,
            "created_at": now,
            "updated_at": now,
        }
        names, places = ", ".join(columns), ", ".join("?" * len(columns))
        await connection.execute(
            f"INSERT INTO deployments ({names}) VALUES ({places})",  # noqa: S608 - names from the literal above
            tuple(columns.values()),
        )
        await connection.executemany(
            "INSERT INTO deployment_variables (deployment_id, name, value, sealed) VALUES (?, ?, ?, ?)",
            [
                *((new.id, name, json.dumps(value), None) for name, value in new.values.shown.items()),
                *(
                    (new.id, name, None, self._vault.seal(text, variable_row(new.id, name)))
                    for name, text in new.values.secret.items()
                ),
            ],
        )

    async def advance(self, deployment_id: str, trigger: Trigger, now: float) -> bool:
        """See the function of this name."""
        async with self._database.transaction() as connection:
            return await advance(connection, deployment_id, trigger, Effects(), now)

    async def rename(self, deployment_id: str, user_id: str, name: str, now: float) -> bool:
        async with self._database.transaction() as connection:
            cursor = await connection.execute(
                "UPDATE deployments SET name = ?, updated_at = ? WHERE id = ? AND user_id = ? AND status <> 'deleted'",
                (name, now, deployment_id, user_id),
            )
            return cursor.rowcount == 1

    async def explain(self, deployment_id: str, state: State, reason: str, now: float) -> None:
        """Says why a state lasts, as long as it does."""
        async with self._database.transaction() as connection:
            await connection.execute(
                "UPDATE deployments SET status_reason = ?, updated_at = ? WHERE id = ? AND status = ?",
                (reason, now, deployment_id, state.value),
            )

    async def tell(self, deployment_id: str, happenings: Iterable[Happening]) -> None:
        async with self._database.transaction() as connection:
            for happening in happenings:
                await write_happening(connection, deployment_id, happening)

    async def events(self, deployment_id: str, kind: str | None, limit: int) -> list[Event]:
        """Newest first."""
        rows = await self._database.fetch_all(
            "SELECT seq, type, message, at FROM deployment_events"
            " WHERE deployment_id = :id AND (:type IS NULL OR type = :type) ORDER BY seq DESC LIMIT :limit",
            {"id": deployment_id, "type": kind, "limit": limit},
        )
        return [Event(seq=row["seq"], type=row["type"], message=row["message"], at=row["at"]) for row in rows]


DEPLOYMENT_STORE = web.AppKey("deployment_store", DeploymentStore)


async def move(
    connection: aiosqlite.Connection, deployment_id: str, step: Move, effects: Effects, now: float
) -> None:
    """The compare-and-swap, with what happened; raises StateChanged when the state is not `step.source` any more."""
    cursor = await connection.execute(
        "UPDATE deployments SET status = :target, status_reason = :reason, updated_at = :now,"
        " node_id = coalesce(:node, node_id), release_id = coalesce(:release, release_id),"
        " failed_by_drift = (:target = 'failed' AND :drift),"
        " started_at = CASE WHEN :target = 'running' THEN :now ELSE started_at END,"
        " stopped_at = CASE WHEN :target = 'stopped' THEN :now ELSE stopped_at END"
        " WHERE id = :id AND status = :source",
        {
            "target": step.target.value,
            "source": step.source.value,
            "reason": effects.reason,
            "node": effects.node_id,
            "release": effects.release_id,
            "drift": effects.by_drift,
            "id": deployment_id,
            "now": now,
        },
    )
    if cursor.rowcount != 1:
        raise StateChanged(f"{deployment_id} is not {step.source} any more")
    message = f"{step.source} -> {step.target}" + (f": {effects.reason}" if effects.reason else "")
    await write_happening(
        connection,
        deployment_id,
        Happening(type=f"deployment_{step.target.value}", message=message, origin=new_id("move_"), at=now),
    )


async def advance(
    connection: aiosqlite.Connection, deployment_id: str, trigger: Trigger, effects: Effects, now: float
) -> bool:
    """What a job found out, applied (or known already). False when the deployment has moved on to where it does not matter."""
    rows = await connection.execute_fetchall("SELECT status FROM deployments WHERE id = ?", (deployment_id,))
    try:
        step = decide(State(next(iter(rows))["status"]), trigger)
        if isinstance(step, Repeat):
            return True
        await move(connection, deployment_id, step, effects, now)
    except (InvalidTransition, StateChanged):
        return False
    return True


async def write_happening(connection: aiosqlite.Connection, deployment_id: str, happening: Happening) -> None:
    await connection.execute(
        "INSERT INTO deployment_events (deployment_id, type, message, origin, at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (deployment_id, origin) DO NOTHING",
        (deployment_id, happening.type, happening.message, happening.origin, happening.at),
    )


async def read(connection: aiosqlite.Connection, deployment_id: str, user_id: str) -> Deployment | None:
    """Within a transaction."""
    rows = await connection.execute_fetchall(
        f"{_LIVE} AND d.id = ? AND d.user_id = ?",
        (deployment_id, user_id),
    )
    found = next(iter(rows), None)
    return None if found is None else deployment_of(found)


async def read_also_deleted(connection: aiosqlite.Connection, deployment_id: str) -> Deployment:
    """For answering from the record of an operation."""
    rows = await connection.execute_fetchall(f"{_SELECT} WHERE d.id = ?", (deployment_id,))
    return deployment_of(next(iter(rows)))


async def usage_of(connection: aiosqlite.Connection, user_id: str) -> Usage:
    """Within the transaction that is about to add to it."""
    return _usage(next(iter(await connection.execute_fetchall(_USAGE, (user_id,)))))


def _usage(row: Row | None) -> Usage:
    if row is None:  # an aggregate always has one row
        return Usage(0, Resources(0, 0, 0))
    return Usage(row["deployments"], Resources(row["cpu_millis"], row["memory_mb"], row["disk_mb"]))


def variable_row(deployment_id: str, name: str) -> str:
    return f"deployments/{deployment_id}/variables/{name}"


def deployment_of(row: Row) -> Deployment:
    variables: dict[str, Scalar | None] = json.loads(row["variables"])
    return Deployment(
        seq=row["seq"],
        id=row["id"],
        user_id=row["user_id"],
        org_id=row["org_id"],
        name=row["name"],
        project_id=row["project_id"],
        source=source_of(row),
        visibility=Visibility(row["visibility"]),
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
        domains=tuple(sorted(json.loads(row["domains"]))),
        variables={name: HIDDEN if value is None else value for name, value in variables.items()},
    )
