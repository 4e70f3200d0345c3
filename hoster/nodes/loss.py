"""A node that will not come back: its machine is gone, and someone says so.

Rules:
- Only people know that a machine is lost. As long as nobody says so, whatever was ordered waits for it.
- Nothing can be lost that sends heartbeats.
- What was being deleted there is gone with the machine. What ran, or was about to, has failed; started again, it is placed anew,
  with its settings and without what its volumes held.
"""

import aiosqlite

from hoster.deployments.moves import Effects, advance
from hoster.deployments.transitions import State, Trigger
from hoster.nodes.store import node_of, remove_node

LOST = "Its node was lost. Started again, it is placed on another one, with empty volumes."


class NodeIsOnline(Exception):
    """It sends heartbeats, so it is not lost."""


async def lose_node(connection: aiosqlite.Connection, node_id: str, now: float) -> int:
    """How many deployments were there. Orders under way find out by themselves that they have no node. Raises NodeIsOnline."""
    [row] = await connection.execute_fetchall("SELECT * FROM nodes WHERE id = ?", (node_id,))
    if node_of(row).is_online(now):
        raise NodeIsOnline
    there = await connection.execute_fetchall(
        "SELECT id, status FROM deployments WHERE node_id = ? AND status <> 'deleted'", (node_id,)
    )
    for deployment in there:
        if deployment["status"] == State.RUNNING.value:
            await advance(connection, deployment["id"], Trigger.FAIL, Effects(reason=LOST), now)
    await connection.executemany(
        "UPDATE domains SET node_id = NULL WHERE deployment_id = ?", [(one["id"],) for one in there]
    )
    await connection.execute(
        "UPDATE deployments SET node_id = NULL WHERE node_id = ? AND status <> 'deleted'", (node_id,)
    )
    await connection.execute(
        "UPDATE deployments SET requested_node_id = NULL WHERE requested_node_id = ? AND status <> 'deleted'",
        (node_id,),
    )
    await remove_node(connection, node_id)
    return len(list(there))
