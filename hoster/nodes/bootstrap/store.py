"""Bootstraps in the database. Their secrets are sealed, and gone once they have ended."""

import json
from collections.abc import Iterable

import aiosqlite
from aiohttp import web

from hoster.nodes.bootstrap.model import ATTEMPTS_MOST, Bootstrap, BootstrapStatus, Credentials, Machine
from hoster.ssh_keys.store import private_row
from hoster.vault import Vault
from shared.clock import Clock, rfc3339
from shared.database import Database, Row

CRASHED_TOO_OFTEN = "The installation was interrupted too often."


class BootstrapStore:
    def __init__(self, database: Database, vault: Vault, clock: Clock) -> None:
        self._database = database
        self._vault = vault
        self._clock = clock

    async def of(self, node_ids: Iterable[str]) -> dict[str, Bootstrap]:
        """By node id; nodes that were not installed over SSH are left out."""
        rows = await self._database.fetch_all(
            "SELECT * FROM node_bootstraps WHERE node_id IN (SELECT value FROM json_each(?))",
            (json.dumps(list(node_ids)),),
        )
        return {row["node_id"]: bootstrap_of(row) for row in rows}

    async def write(
        self,
        connection: aiosqlite.Connection,
        node_id: str,
        machine: Machine,
        key: str,
        token: str,
    ) -> None:
        """In the transaction that makes the join token. `key` is the id of an SSH key, or a private key itself."""
        is_id = key.startswith("sshkey_")
        await connection.execute(
            "INSERT INTO node_bootstraps (node_id, status, host, port, username, worker_port, mesh_port, ssh_key_id, private_key,"
            " join_token, host_key, created_at) VALUES (?, 'waiting', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (node_id) DO UPDATE SET status = 'waiting', host = excluded.host, port = excluded.port,"
            " username = excluded.username, worker_port = excluded.worker_port, mesh_port = excluded.mesh_port,"
            " ssh_key_id = excluded.ssh_key_id, private_key = excluded.private_key, join_token = excluded.join_token,"
            " host_key = excluded.host_key, pinned = 0, reason = NULL, log = '[]', attempts = 0,"
            " created_at = excluded.created_at, finished_at = NULL",
            (
                node_id,
                machine.host,
                machine.port,
                machine.user,
                machine.worker_port,
                machine.mesh_port,
                key if is_id else None,
                None if is_id else self._vault.seal(key, key_row(node_id)),
                self._vault.seal(token, token_row(node_id)),
                machine.host_key,
                self._clock.now(),
            ),
        )

    async def take_up_interrupted(self) -> None:
        """At start: what was running when the last process died waits again, unless that happened too often."""
        async with self._database.transaction() as connection:
            await connection.execute(
                "UPDATE node_bootstraps SET status = 'failed', reason = ?, finished_at = ?, private_key = NULL, join_token = NULL"
                " WHERE status = 'running' AND attempts >= ?",
                (CRASHED_TOO_OFTEN, self._clock.now(), ATTEMPTS_MOST),
            )
            await connection.execute("UPDATE node_bootstraps SET status = 'waiting' WHERE status = 'running'")

    async def claim(self) -> Bootstrap | None:
        async with self._database.transaction() as connection:
            rows = await connection.execute_fetchall(
                "UPDATE node_bootstraps SET status = 'running', attempts = attempts + 1 WHERE node_id ="
                " (SELECT node_id FROM node_bootstraps WHERE status = 'waiting' ORDER BY created_at LIMIT 1) RETURNING *"
            )
        found = next(iter(rows), None)
        return None if found is None else bootstrap_of(found)

    async def credentials(self, node_id: str) -> Credentials | None:
        """None once they are gone, with the node or its SSH key."""
        row = await self._database.fetch_one(
            "SELECT b.private_key, b.join_token, b.ssh_key_id, k.private_key AS kept_key FROM node_bootstraps b"
            " LEFT JOIN ssh_keys k ON k.id = b.ssh_key_id WHERE b.node_id = ?",
            (node_id,),
        )
        if row is None or row["join_token"] is None:
            return None
        token = self._vault.open(row["join_token"], token_row(node_id))
        if row["private_key"] is not None:
            return Credentials(self._vault.open(row["private_key"], key_row(node_id)), token)
        if row["kept_key"] is not None:
            return Credentials(self._vault.open(row["kept_key"], private_row(row["ssh_key_id"])), token)
        return None

    async def tell(self, node_id: str, message: str) -> None:
        line = json.dumps({"at": rfc3339(self._clock.now()), "message": message})
        async with self._database.transaction() as connection:
            await connection.execute(
                "UPDATE node_bootstraps SET log = json_insert(log, '$[#]', json(?)) WHERE node_id = ?",
                (line, node_id),
            )

    async def pin(self, node_id: str, host_key: str, *, first_seen: bool) -> None:
        """From here on only this key is the machine's."""
        async with self._database.transaction() as connection:
            await connection.execute(
                "UPDATE node_bootstraps SET host_key = ?, pinned = ? WHERE node_id = ?",
                (host_key, first_seen, node_id),
            )

    async def end(self, node_id: str, reason: str | None) -> None:
        """Done without a reason, else failed."""
        status = BootstrapStatus.DONE if reason is None else BootstrapStatus.FAILED
        async with self._database.transaction() as connection:
            await connection.execute(
                "UPDATE node_bootstraps SET status = ?, reason = ?, finished_at = ?, private_key = NULL, join_token = NULL"
                " WHERE node_id = ?",
                (status.value, reason, self._clock.now(), node_id),
            )


BOOTSTRAP_STORE = web.AppKey("bootstrap_store", BootstrapStore)


def key_row(node_id: str) -> str:
    return f"node_bootstraps/{node_id}/private_key"


def token_row(node_id: str) -> str:
    return f"node_bootstraps/{node_id}/join_token"


def bootstrap_of(row: Row) -> Bootstrap:
    return Bootstrap(
        node_id=row["node_id"],
        machine=Machine(
            host=row["host"],
            port=row["port"],
            user=row["username"],
            host_key=row["host_key"],
            worker_port=row["worker_port"],
            mesh_port=row["mesh_port"],
        ),
        status=BootstrapStatus(row["status"]),
        pinned=bool(row["pinned"]),
        reason=row["reason"],
        log=tuple(json.loads(row["log"])),
        attempts=row["attempts"],
        created_at=row["created_at"],
        finished_at=row["finished_at"],
    )
