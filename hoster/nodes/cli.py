"""`python -m hoster nodes list|maintenance|remove`: for the operator, whose own nodes belong to no user of the API."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from hoster.nodes.loss import NodeIsOnline, lose_node
from hoster.nodes.store import NodeInUse, node_of, remove_node
from shared.clock import Clock
from shared.database import Database

LIST, MAINTENANCE, REMOVE = "list", "maintenance", "remove"
_LIVE = "SELECT count(*) FROM deployments WHERE node_id = nodes.id AND status <> 'deleted'"


class OrderRefused(Exception):
    """No such node, or one that cannot be removed."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="what", required=True)
    commands.add_parser(LIST, help="every node, with its deployments")
    maintenance = commands.add_parser(MAINTENANCE, help="whether new deployments are placed on a node")
    maintenance.add_argument("node_id")
    maintenance.add_argument("state", choices=["on", "off"])
    removing = commands.add_parser(REMOVE, help="forget a node without deployments")
    removing.add_argument("node_id")
    removing.add_argument(
        "--lost", action="store_true", help="its machine is gone for good, with all deployments on it"
    )


async def run(
    options: argparse.Namespace, database_file: Path, migrations: Path, clock: Clock
) -> Sequence[str]:
    """Lines for the operator. A running Hoster follows at its next look. Raises OrderRefused or MigrationFailed."""
    database = await Database.open(database_file, migrations)
    try:
        if options.what == LIST:
            return await _list(database, clock)
        if options.what == MAINTENANCE:
            return [await _set_maintenance(database, options.node_id, on=options.state == "on")]
        return [await _remove(database, options.node_id, clock.now(), lost=options.lost)]
    finally:
        await database.close()


async def _list(database: Database, clock: Clock) -> list[str]:
    rows = await database.fetch_all(f"SELECT nodes.*, ({_LIVE}) AS live FROM nodes ORDER BY seq")  # noqa: S608 - constant text
    found = [(node_of(row), row["live"]) for row in rows]
    return [
        f"{node.id}  {node.status(clock.now()):11}  {'public' if node.public else 'private':7}  {live:4} deployments  {node.name}"
        for node, live in found
    ]


async def _set_maintenance(database: Database, node_id: str, *, on: bool) -> str:
    async with database.transaction() as connection:
        cursor = await connection.execute("UPDATE nodes SET maintenance = ? WHERE id = ?", (on, node_id))
        if cursor.rowcount != 1:
            raise OrderRefused(f"there is no node {node_id}")
    return f"{node_id} {'takes no new deployments' if on else 'takes deployments again'}"


async def _remove(database: Database, node_id: str, now: float, *, lost: bool) -> str:
    async with database.transaction() as connection:
        if not list(await connection.execute_fetchall("SELECT 1 FROM nodes WHERE id = ?", (node_id,))):
            raise OrderRefused(f"there is no node {node_id}")
        try:
            if lost:
                deployments = await lose_node(connection, node_id, now)
                return f"{node_id} is removed; {deployments} deployments were on it"
            await remove_node(connection, node_id)
        except NodeInUse as in_use:
            raise OrderRefused(
                f"{node_id} has {in_use.deployments} deployments (--lost if its machine is gone for good)"
            ) from None
        except NodeIsOnline:
            raise OrderRefused(f"{node_id} is not lost: it sends heartbeats") from None
    return f"{node_id} is removed"
