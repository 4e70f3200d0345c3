"""Nodes in the database."""

import json

import aiosqlite

from hoster.deployments.placement import Candidate
from hoster.deployments.resources import Resources
from hoster.nodes.model import OFFLINE_AFTER_S, Node, Worker
from hoster.paging import Page, PageRequest, counted, page_of
from hoster.vault import Vault
from shared.database import Database, Row

_VISIBLE = "(owner_id = :viewer OR public = 1)"


class NodeInUse(Exception):
    """Deployments still live on this node, or wait to be started there."""

    def __init__(self, deployments: int) -> None:
        super().__init__(f"{deployments} deployments are on this node.")
        self.deployments = deployments


class NodeStore:
    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def find(self, node_id: str, viewer_id: str) -> Node | None:
        """The viewer's own nodes and public ones."""
        row = await self._database.fetch_one(
            f"SELECT * FROM nodes WHERE id = :id AND {_VISIBLE}",  # noqa: S608 - constant text
            {"id": node_id, "viewer": viewer_id},
        )
        return None if row is None else node_of(row)

    async def page(self, viewer_id: str, request: PageRequest) -> Page[Node]:
        parameters = {"viewer": viewer_id, "before": request.before, "limit": request.limit + 1}
        rows = await self._database.fetch_all(
            f"SELECT * FROM nodes WHERE {_VISIBLE} AND (:before IS NULL OR seq < :before)"  # noqa: S608 - constant text
            " ORDER BY seq DESC LIMIT :limit",
            parameters,
        )
        total = await self._database.fetch_one(
            f"SELECT count(*) FROM nodes WHERE {_VISIBLE}",  # noqa: S608 - constant text
            parameters,
        )
        return page_of(rows, request, node_of, counted(total))

    async def everyone(self) -> list[Node]:
        return [node_of(row) for row in await self._database.fetch_all("SELECT * FROM nodes")]

    async def get(self, node_id: str) -> Node | None:
        """Whoever asks: for the platform's own work, never for a viewer."""
        row = await self._database.fetch_one("SELECT * FROM nodes WHERE id = ?", (node_id,))
        return None if row is None else node_of(row)

    async def worker(self, node_id: str) -> Worker | None:
        """None for a node that never joined."""
        row = await self._database.fetch_one("SELECT address, secret FROM nodes WHERE id = ?", (node_id,))
        if row is None or row["address"] is None or row["secret"] is None:
            return None
        secret = self._vault.open(row["secret"], secret_row(node_id))
        return Worker(node_id, row["address"], secret.encode())

    async def forget_silent(self, now: float) -> list[str]:
        """Marks nodes without a recent heartbeat as offline; the ids of those that went now."""
        async with self._database.transaction() as connection:
            rows = await connection.execute_fetchall(
                "UPDATE nodes SET online = 0 WHERE online = 1 AND last_seen_at < ? RETURNING id",
                (now - OFFLINE_AFTER_S,),
            )
        return [row["id"] for row in rows]


def secret_row(node_id: str) -> str:
    return f"nodes/{node_id}/secret"


async def remove_node(connection: aiosqlite.Connection, node_id: str) -> None:
    """Raises NodeInUse: deployments are there, or wait to be started there."""
    [live] = await connection.execute_fetchall(
        "SELECT count(*) AS n FROM deployments WHERE status <> 'deleted'"
        " AND (node_id = :id OR (node_id IS NULL AND requested_node_id = :id))",
        {"id": node_id},
    )
    if live["n"]:
        raise NodeInUse(live["n"])
    await connection.execute("UPDATE deployments SET node_id = NULL WHERE node_id = ?", (node_id,))
    await connection.execute("DELETE FROM nodes WHERE id = ?", (node_id,))


async def candidates(
    connection: aiosqlite.Connection, viewer_id: str, node_id: str | None, now: float
) -> list[Candidate]:
    """The nodes that a viewer may deploy on (or the named one of them), with what is promised there already."""
    rows = await connection.execute_fetchall(
        f"SELECT * FROM nodes WHERE {_VISIBLE} AND (:id IS NULL OR id = :id)",  # noqa: S608 - constant text
        {"viewer": viewer_id, "id": node_id},
    )
    return [_candidate(row, now) for row in rows]


def _candidate(row: Row, now: float) -> Candidate:
    node = node_of(row)
    return Candidate(
        node_id=node.id,
        online=node.is_online(now),
        maintenance=node.maintenance,
        engine_ok=node.engine_ok,
        region=node.location,
        capabilities=node.capabilities,
        capacity=node.capacity,
        reserved=Resources(row["promised_cpu_millis"], row["promised_memory_mb"], row["promised_disk_mb"]),
    )


def node_of(row: Row) -> Node:
    return Node(
        id=row["id"],
        owner_id=row["owner_id"],
        name=row["name"],
        public=bool(row["public"]),
        maintenance=bool(row["maintenance"]),
        engine_ok=bool(row["engine_ok"]),
        address=row["address"],
        capabilities=frozenset(json.loads(row["capabilities"])),
        location=row["location"],
        version=row["version"],
        capacity=Resources(row["cpu_millis"], row["memory_mb"], row["disk_mb"]),
        used=Resources(row["used_cpu_millis"], row["used_memory_mb"], row["used_disk_mb"]),
        joined_at=row["joined_at"],
        last_seen_at=row["last_seen_at"],
        created_at=row["created_at"],
    )
