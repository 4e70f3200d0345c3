"""Ordering a bootstrap: with a new node, or again for one that has not joined yet."""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import aiosqlite
from aiohttp import web
from typing_extensions import override

from hoster.bodies import BodyInvalid
from hoster.nodes.bootstrap.bodies import SshBody
from hoster.nodes.bootstrap.bundle import check_source
from hoster.nodes.bootstrap.model import Machine
from hoster.nodes.bootstrap.store import BootstrapStore
from hoster.nodes.commands import NodeNotFound, token_hash
from hoster.ssh_keys.key_pair import PrivateKeyUnusable, read_pair
from hoster.ssh_keys.store import has_key
from hoster.viewer import Viewer
from shared.database import Database


class NodeJoinedAlready(Exception):
    """There is a worker already; nothing is to be installed."""


class BootstrapUnderWay(Exception):
    """The node is being installed right now."""


@dataclass(frozen=True, slots=True)
class BootstrapOrder:
    """`key` is the id of an SSH key of the owner's, or a checked private key."""

    owner_id: str
    machine: Machine
    key: str

    @override
    def __repr__(self) -> str:
        return f"BootstrapOrder({self.machine})"


class BootstrapCommands:
    def __init__(
        self,
        database: Database,
        bootstraps: BootstrapStore,
        ring: Callable[[], None],
        source: Path,
    ) -> None:
        self._database = database
        self._bootstraps = bootstraps
        self._ring = ring
        self._source = source

    async def prepare(self, viewer: Viewer, ssh: SshBody) -> BootstrapOrder:
        """Raises BodyInvalid or BundleMissing."""
        await asyncio.to_thread(check_source, self._source)
        machine = ssh.machine()
        if ssh.private_key is None:
            return BootstrapOrder(viewer.user_id, machine, str(ssh.ssh_key_id))
        try:
            pair = await asyncio.to_thread(read_pair, ssh.private_key.get_secret_value())
        except PrivateKeyUnusable as error:
            raise BodyInvalid.of("ssh.private_key", str(error)) from None
        return BootstrapOrder(viewer.user_id, machine, pair.private_key)

    async def record(
        self, connection: aiosqlite.Connection, node_id: str, token: str, order: BootstrapOrder
    ) -> None:
        """In the transaction that makes the node or its new token. Raises BodyInvalid."""
        is_id = order.key.startswith("sshkey_")
        if is_id and not await has_key(connection, order.key, order.owner_id):
            raise BodyInvalid.of("ssh.ssh_key_id", "is not the id of an SSH key of yours")
        await self._bootstraps.write(connection, node_id, order.machine, order.key, token)

    async def order_again(self, viewer: Viewer, node_id: str, order: BootstrapOrder) -> None:
        """With a new join token. Raises NodeNotFound, NodeJoinedAlready, BootstrapUnderWay or BodyInvalid."""
        token = secrets.token_urlsafe(32)
        async with self._database.transaction() as connection:
            rows = await connection.execute_fetchall(
                "SELECT n.joined_at, b.status FROM nodes n LEFT JOIN node_bootstraps b ON b.node_id = n.id"
                " WHERE n.id = ? AND n.owner_id = ?",
                (node_id, viewer.user_id),
            )
            node = next(iter(rows), None)
            if node is None:
                raise NodeNotFound
            if node["status"] in {"waiting", "running"}:
                raise BootstrapUnderWay
            if node["joined_at"] is not None:
                raise NodeJoinedAlready
            await connection.execute(
                "UPDATE nodes SET join_token_hash = ? WHERE id = ?", (token_hash(token), node_id)
            )
            await self.record(connection, node_id, token, order)
        self._ring()

    def begin(self) -> None:
        """After the transaction of `record`."""
        self._ring()


BOOTSTRAP_COMMANDS = web.AppKey("bootstrap_commands", BootstrapCommands)
