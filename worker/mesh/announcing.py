"""Telling the other nodes which hosts are served here, for as long as they are.

Failure policy: a registry that is away is logged once and told everything again when it is back; nothing here waits for it.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

import structlog

from worker.mesh.registry import Entry, Registry, RegistryUnavailable
from worker.mesh.table import MeshTable

REFRESH_S = 10.0
RETRY_S = 1.0

log = structlog.get_logger("mesh.registry")


class HopKeys:
    """The key in force first; the one before stays good, because nodes learn of a new one at different moments."""

    def __init__(self) -> None:
        self._keys: deque[bytes] = deque(maxlen=2)

    def learn(self, key: bytes) -> None:
        if key not in self._keys:
            self._keys.appendleft(key)

    def now(self) -> tuple[bytes, ...]:
        return tuple(self._keys)


class Announcer:
    """`address` is asked for when it is needed, because the network may not be up at start; it may raise OSError."""

    def __init__(
        self,
        registry: Registry,
        table: MeshTable,
        hop_keys: HopKeys,
        node: str,
        address: Callable[[], Awaitable[tuple[str, int]]],
    ) -> None:
        self._registry = registry
        self._table = table
        self._hop_keys = hop_keys
        self._node = node
        self._address = address
        self._said: dict[str, Entry] = {}
        self._held: set[str] = set()
        self._fault = ""

    async def run(self) -> None:
        """Until cancelled; then everything that was said is taken back."""
        try:
            while True:
                self._table.changed.clear()
                pause_s = await self._round()
                try:
                    async with asyncio.timeout(pause_s):
                        await self._table.changed.wait()
                except TimeoutError:
                    # Time to say everything again.
                    self._said = dict.fromkeys(self._said, _UNSAID)
        finally:
            await self._take_back()

    async def _round(self) -> float:
        """How long the next one may wait when nothing changes."""
        try:
            self._hop_keys.learn(await self._registry.hop_key())
            await self._say(await self._here())
        except (RegistryUnavailable, OSError) as error:
            self._tell(f"{type(error).__name__}: {error}")
            self._said = dict.fromkeys(self._said, _UNSAID)
            return RETRY_S
        self._tell("")
        return REFRESH_S

    async def _say(self, here: dict[str, Entry]) -> None:
        gone = self._said.keys() - here.keys()
        await self._registry.release(gone, self._node)
        new = {host: entry for host, entry in here.items() if self._said.get(host) != entry}
        # Before it is known whether it was heard: an end meanwhile must take it back too.
        self._said = {**self._said, **dict.fromkeys(new, _UNSAID)}
        held = {host for host in await self._registry.claim(new) if here[host].running}
        for host in held - self._held:
            log.warning("host_held_by_another_node", host=host, project=here[host].project_id)
        self._held = (self._held & (here.keys() - new.keys())) | held
        self._said = here

    async def _here(self) -> dict[str, Entry]:
        worker_ip, port = await self._address()
        return {
            host: Entry(
                worker_ip=worker_ip,
                port=port,
                org_id=route.org_id,
                node=self._node,
                project_id=route.project_id,
                visibility=route.visibility,
                allowed_orgs=route.allowed_orgs,
                running=bool(route.backends),
            )
            for route in self._table.routes()
            for host in {*route.public_hosts, *self._table.hosts_of(route.project_id)}
        }

    async def _take_back(self) -> None:
        try:
            await self._registry.release(self._said.keys(), self._node)
        except RegistryUnavailable as error:
            # The entries expire by themselves.
            log.warning("mesh_registry_not_told", reason=str(error))

    def _tell(self, fault: str) -> None:
        """Once for each change."""
        if fault != self._fault:
            self._fault = fault
            if fault:
                log.warning("mesh_registry_unavailable", reason=fault)
            else:
                log.info("mesh_registry_available")


_UNSAID = Entry(worker_ip="", port=0, org_id="")
"""Equal to no entry of ours."""
