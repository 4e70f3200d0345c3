"""Registering, enrolling and removing nodes, and listening to their heartbeats."""

import hashlib
import json
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import aiosqlite
import structlog

from hoster.nodes.bodies import HeartbeatBody, JoinBody, NewNodeBody, NodeChangeBody
from hoster.nodes.loss import lose_node
from hoster.nodes.model import Node
from hoster.nodes.store import NodeStore, node_of, remove_node, secret_row
from hoster.vault import Vault
from hoster.viewer import Viewer
from shared import signature
from shared.clock import Clock
from shared.config import Secret
from shared.database import Database
from shared.ids import new_id
from shared.signature import Command, SignatureInvalid

_NODE_ID = re.compile(r"node_[0-9a-f]{32}")
_BOOTSTRAP_NAME = "first node"

EVERY_NODE_OFFERS = "standard"
"""What plans without special hardware name."""


AlsoRecord = Callable[[aiosqlite.Connection, str, str], Awaitable[None]]
"""Called with the id of a new node and its join token."""


class NodeNotFound(Exception):
    """No such node, or not this viewer's."""


class PublicNodeRefused(Exception):
    """A customer asked to run other customers' apps, with their secrets, on a machine of its own."""


class JoinTokenInvalid(Exception):
    """Unknown or used."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What a worker gets once, and never again."""

    node_id: str
    secret: str


@dataclass(frozen=True, slots=True)
class SignedBeat:
    """A heartbeat as it arrived."""

    node_id: str
    signature: str
    command: Command


class NodeCommands:
    def __init__(
        self,
        database: Database,
        nodes: NodeStore,
        vault: Vault,
        clock: Clock,
        identifier: Callable[[str], str] = new_id,
    ) -> None:
        self._database = database
        self._nodes = nodes
        self._vault = vault
        self._clock = clock
        self._new_id = identifier
        self._log = structlog.get_logger("nodes")

    async def register(
        self, viewer: Viewer, body: NewNodeBody, also: AlsoRecord | None = None
    ) -> tuple[Node, str]:
        """The node and its single-use join token, which is shown this once. `also` is done in the same transaction. Raises
        PublicNodeRefused, and what `also` raises.
        """
        if body.public:
            raise PublicNodeRefused
        token = secrets.token_urlsafe(32)
        async with self._database.transaction() as connection:
            rows = await connection.execute_fetchall(
                "INSERT INTO nodes (id, owner_id, name, public, location, capabilities, join_token_hash, created_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING *",
                (
                    self._new_id("node_"),
                    viewer.user_id,
                    body.name.strip(),
                    body.public,
                    body.location,
                    json.dumps(sorted(set(body.capabilities))),
                    token_hash(token),
                    self._clock.now(),
                ),
            )
            node = node_of(next(iter(rows)))
            if also is not None:
                await also(connection, node.id, token)
        return node, token

    async def expect_first_node(self, token: Secret) -> None:
        """Makes sure that a public node of the operator may join once with `token`; used or not, it is made only once."""
        async with self._database.transaction() as connection:
            await connection.execute(
                "INSERT INTO nodes (id, name, public, join_token_hash, created_at) VALUES (?, ?, 1, ?, ?)"
                " ON CONFLICT (join_token_hash) DO NOTHING",
                (
                    self._new_id("node_"),
                    _BOOTSTRAP_NAME,
                    token_hash(token.reveal().decode()),
                    self._clock.now(),
                ),
            )

    async def change(self, viewer: Viewer, node_id: str, body: NodeChangeBody) -> Node:
        """Raises NodeNotFound."""
        capabilities = None if body.capabilities is None else {EVERY_NODE_OFFERS, *body.capabilities}
        return await self._update(
            viewer,
            node_id,
            "name = coalesce(:name, name), location = coalesce(:location, location),"
            " capabilities = coalesce(:capabilities, capabilities)",
            {
                "name": None if body.name is None else body.name.strip(),
                "location": body.location,
                "capabilities": None if capabilities is None else json.dumps(sorted(capabilities)),
            },
        )

    async def set_maintenance(self, viewer: Viewer, node_id: str, *, maintenance: bool) -> Node:
        """In maintenance a node takes no new deployments; those that it has go on. Raises NodeNotFound."""
        return await self._update(viewer, node_id, "maintenance = :on", {"on": maintenance})

    async def _update(
        self, viewer: Viewer, node_id: str, assignments: str, values: Mapping[str, object]
    ) -> Node:
        """`assignments` is constant text."""
        async with self._database.transaction() as connection:
            rows = await connection.execute_fetchall(
                f"UPDATE nodes SET {assignments} WHERE id = :id AND owner_id = :owner RETURNING *",  # noqa: S608
                {**values, "id": node_id, "owner": viewer.user_id},
            )
        changed = next(iter(rows), None)
        if changed is None:
            raise NodeNotFound
        return node_of(changed)

    async def remove(self, viewer: Viewer, node_id: str, *, lost: bool = False) -> None:
        """`lost`: its machine is gone, with all that was on it. Raises NodeNotFound (also for a public node of someone else), NodeInUse
        unless it is lost, or NodeIsOnline if it is said to be.
        """
        async with self._database.transaction() as connection:
            owned = await connection.execute_fetchall(
                "SELECT 1 FROM nodes WHERE id = ? AND owner_id = ?", (node_id, viewer.user_id)
            )
            if not list(owned):
                raise NodeNotFound
            if lost:
                await lose_node(connection, node_id, self._clock.now())
            else:
                await remove_node(connection, node_id)

    async def join(self, body: JoinBody) -> Enrolment:
        """Raises JoinTokenInvalid. The token is spent in the transaction that enrols; after that, who proposes the secret that was agreed on is
        the same worker, which has not heard the answer.
        """
        secret = body.secret or secrets.token_hex(32)
        now = self._clock.now()
        capacity = body.capacity.resources()
        async with self._database.transaction() as connection:
            rows = await connection.execute_fetchall(
                "SELECT id, owner_id, name, capabilities, joined_at, secret FROM nodes WHERE join_token_hash = ?",
                (token_hash(body.token),),
            )
            waiting = next(iter(rows), None)
            if waiting is None:
                raise JoinTokenInvalid
            if waiting["joined_at"] is not None:
                agreed = self._vault.open(waiting["secret"], secret_row(waiting["id"]))
                if not secrets.compare_digest(agreed.encode(), secret.encode()):
                    raise JoinTokenInvalid
                return Enrolment(waiting["id"], secret)
            named_by_itself = waiting["owner_id"] is None and body.name
            await connection.execute(
                "UPDATE nodes SET joined_at = ?, last_seen_at = ?, online = 1, name = ?, address = ?, version = ?,"
                " cpu_millis = ?, memory_mb = ?, disk_mb = ?, capabilities = ?, secret = ? WHERE id = ?",
                (
                    now,
                    now,
                    body.name if named_by_itself else waiting["name"],
                    body.address,
                    body.version,
                    capacity.cpu_millis,
                    capacity.memory_mb,
                    capacity.disk_mb,
                    json.dumps(
                        sorted({EVERY_NODE_OFFERS, *body.capabilities, *json.loads(waiting["capabilities"])})
                    ),
                    self._vault.seal(secret, secret_row(waiting["id"])),
                    waiting["id"],
                ),
            )
        self._log.info("node_joined", node_id=waiting["id"], address=body.address, version=body.version)
        return Enrolment(waiting["id"], secret)

    async def authenticate(self, beat: SignedBeat) -> None:
        """Raises SignatureInvalid, in the same words for an unknown node. A signature is accepted once."""
        worker = await self._nodes.worker(beat.node_id) if _NODE_ID.fullmatch(beat.node_id) else None
        if worker is None:
            raise SignatureInvalid("missing or malformed signature")
        now = self._clock.now()
        nonce = signature.verify(worker.secret, beat.signature, beat.command, now)
        async with self._database.transaction() as connection:
            await connection.execute(
                "DELETE FROM node_nonces WHERE node_id = ? AND expires_at < ?", (beat.node_id, now)
            )
            cursor = await connection.execute(
                "INSERT INTO node_nonces (node_id, nonce, expires_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (beat.node_id, nonce, now + 2 * signature.WINDOW_S),
            )
            if cursor.rowcount != 1:
                raise SignatureInvalid("signature was used before")

    async def beat(self, node_id: str, body: HeartbeatBody) -> None:
        """From a worker that has proved to be `node_id`."""
        capacity, used = body.capacity.resources(), body.used.resources()
        async with self._database.transaction() as connection:
            await connection.execute(
                "UPDATE nodes SET last_seen_at = ?, online = 1, version = ?, address = coalesce(?, address), engine_ok = ?, cpu_millis = ?, memory_mb = ?,"
                " disk_mb = ?, used_cpu_millis = ?, used_memory_mb = ?, used_disk_mb = ? WHERE id = ?",
                (
                    self._clock.now(),
                    body.version,
                    body.address,
                    body.engine == "ok",
                    capacity.cpu_millis,
                    capacity.memory_mb,
                    capacity.disk_mb,
                    used.cpu_millis,
                    used.memory_mb,
                    used.disk_mb,
                    node_id,
                ),
            )


def token_hash(token: str) -> str:
    """How a join token is kept. A fast hash is enough: tokens are random, not chosen by people."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
