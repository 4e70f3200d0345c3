"""Adding and removing SSH keys."""

import asyncio

from aiohttp import web

from hoster.bodies import BodyInvalid
from hoster.ssh_keys.key_pair import KeyPair, PrivateKeyUnusable, make_pair, read_pair
from hoster.ssh_keys.store import SshKey, private_row, ssh_key_of
from hoster.vault import Vault
from hoster.viewer import Viewer
from shared.clock import Clock
from shared.database import Database
from shared.ids import new_id

_IN_USE = """
    SELECT 1 FROM deployments WHERE json_extract(source, '$.git.ssh_key_id') = :id AND status <> 'deleted'
    UNION ALL SELECT 1 FROM node_bootstraps WHERE ssh_key_id = :id AND status IN ('waiting', 'running')
    LIMIT 1
"""


class SshKeyNotFound(Exception):
    """No such key, or not this viewer's."""


class SshKeyInUse(Exception):
    """A live deployment is built with this key, or a worker is being installed with it."""


class SshKeyCommands:
    def __init__(self, database: Database, vault: Vault, clock: Clock) -> None:
        self._database = database
        self._vault = vault
        self._clock = clock

    async def add(self, viewer: Viewer, name: str, private_key: str | None) -> SshKey:
        """Makes an Ed25519 pair when no key is given. Raises BodyInvalid."""
        pair = make_pair() if private_key is None else await self._read(private_key)
        key_id = new_id("sshkey_")
        async with self._database.transaction() as connection:
            rows = await connection.execute_fetchall(
                "INSERT INTO ssh_keys (id, user_id, name, public_key, fingerprint, private_key, created_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING *",
                (
                    key_id,
                    viewer.user_id,
                    name,
                    pair.public_key,
                    pair.fingerprint,
                    self._vault.seal(pair.private_key, private_row(key_id)),
                    self._clock.now(),
                ),
            )
        return ssh_key_of(next(iter(rows)))

    async def remove(self, viewer: Viewer, key_id: str) -> None:
        """Raises SshKeyNotFound or SshKeyInUse."""
        async with self._database.transaction() as connection:
            owned = await connection.execute_fetchall(
                "SELECT 1 FROM ssh_keys WHERE id = ? AND user_id = ?", (key_id, viewer.user_id)
            )
            if not list(owned):
                raise SshKeyNotFound
            if list(await connection.execute_fetchall(_IN_USE, {"id": key_id})):
                raise SshKeyInUse
            await connection.execute("DELETE FROM ssh_keys WHERE id = ?", (key_id,))

    async def _read(self, private_key: str) -> KeyPair:
        try:
            return await asyncio.to_thread(read_pair, private_key)
        except PrivateKeyUnusable as error:
            raise BodyInvalid.of("private_key", str(error)) from None


SSH_KEY_COMMANDS = web.AppKey("ssh_key_commands", SshKeyCommands)
