"""Deployments in the database."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

import aiosqlite
from aiohttp import web

from hoster.deployments.limits import Usage
from hoster.deployments.listing import EVERYTHING, Sought, page_of_deployments, search_of_deployments
from hoster.deployments.model import AppUrls, Deployment, Event, Happening, Visibility
from hoster.deployments.moves import Effects, advance, write_happening
from hoster.deployments.resources import NOTHING, Resources
from hoster.deployments.rows import LIVE, SELECT, deployment_of
from hoster.deployments.settings import write_values
from hoster.deployments.source_columns import source_columns
from hoster.deployments.sources import Source
from hoster.deployments.transitions import State, Trigger
from hoster.paging import Page, PageRequest
from hoster.templates.variables import NO_VALUES, Values
from hoster.vault import Vault
from shared.database import Database, Row

_USAGE = "SELECT deployments, cpu_millis, memory_mb, disk_mb FROM tallies WHERE user_id = ?"


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


class DeploymentStore:
    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def find(self, deployment_id: str, user_id: str) -> Deployment | None:
        row = await self._database.fetch_one(
            f"{LIVE} AND d.id = ? AND d.user_id = ?",
            (deployment_id, user_id),
        )
        return None if row is None else deployment_of(row)

    async def find_also_deleted(self, deployment_id: str, user_id: str) -> Deployment | None:
        """As long as history is kept."""
        row = await self._database.fetch_one(
            f"{SELECT} WHERE d.id = ? AND d.user_id = ?", (deployment_id, user_id)
        )
        return None if row is None else deployment_of(row)

    async def get(self, deployment_id: str) -> Deployment | None:
        """Whoever asks: for jobs, never for a viewer."""
        row = await self._database.fetch_one(f"{LIVE} AND d.id = ?", (deployment_id,))
        return None if row is None else deployment_of(row)

    async def get_also_deleted(self, deployment_id: str) -> Deployment:
        """For who has waited for the end of one; it must have existed."""
        [row] = await self._database.fetch_all(f"{SELECT} WHERE d.id = ?", (deployment_id,))
        return deployment_of(row)

    async def state(self, deployment_id: str) -> State:
        row = await self._database.fetch_one("SELECT status FROM deployments WHERE id = ?", (deployment_id,))
        return State.DELETED if row is None else State(row["status"])

    async def page(
        self, user_id: str, request: PageRequest, urls: AppUrls, sought: Sought = EVERYTHING
    ) -> Page[bytes]:
        """What is shown of each, as JSON."""
        if sought != EVERYTHING:
            return await search_of_deployments(self._database, user_id, request, urls, sought)
        total = (await self.usage(user_id)).deployments
        return await page_of_deployments(self._database, user_id, request, urls, total)

    async def usage(self, user_id: str) -> Usage:
        return _usage(await self._database.fetch_one(_USAGE, (user_id,)))

    async def insert(self, connection: aiosqlite.Connection, new: NewDeployment, now: float) -> None:
        """As `pending`, with its variables."""
        columns: dict[str, object] = {
            "id": new.id,
            "user_id": new.user_id,
            "org_id": new.org_id,
            "name": new.name,
            "folded_name": new.name.casefold(),
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
        await write_values(connection, self._vault, new.id, new.values, NO_VALUES)

    async def advance(self, deployment_id: str, trigger: Trigger, now: float) -> bool:
        """See the function of this name in `moves`."""
        async with self._database.transaction() as connection:
            return await advance(connection, deployment_id, trigger, Effects(), now)

    async def explain(self, deployment_id: str, state: State, reason: str, now: float) -> None:
        """Says why a state lasts, as long as it does."""
        async with self._database.transaction() as connection:
            await connection.execute(
                "UPDATE deployments SET status_reason = ?, updated_at = ? WHERE id = ? AND status = ?",
                (reason, now, deployment_id, state.value),
            )

    async def note_visibility(self, deployment_id: str, visibility: Visibility) -> None:
        """What the node was told, and keeps."""
        async with self._database.transaction() as connection:
            await connection.execute(
                "UPDATE deployments SET node_visibility = ? WHERE id = ?", (visibility.value, deployment_id)
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


async def usage_of(connection: aiosqlite.Connection, user_id: str) -> Usage:
    """Within the transaction that is about to add to it."""
    return _usage(next(iter(await connection.execute_fetchall(_USAGE, (user_id,))), None))


def _usage(row: Row | None) -> Usage:
    """A user that was never introduced has nothing."""
    if row is None:
        return Usage(0, NOTHING)
    return Usage(row["deployments"], Resources(row["cpu_millis"], row["memory_mb"], row["disk_mb"]))
