"""One bridge network for each organisation: its containers reach each other, and nobody else's.

A release of several services has a second, internal network of its own. Only there do its containers have the names of their services, so that
each `web` finds the `db` of its own release: never that of another project of the organisation, and never that of the release it replaces.
"""

import asyncio
import base64
import hashlib
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from ipaddress import IPv4Network

import structlog

from worker.runtime import labels
from worker.runtime.engine import Engine, EngineRefused, NetworkSeen
from worker.runtime.subnets import free_subnets

_OVERLAPS = "overlaps"
_LISTED_WITHIN_S = (0.1, 0.2, 0.5, 1.0, 2.0)
_CONTAINER_HOSTNAME = re.compile(r"[0-9a-f]{12,64}")


class NetworkPoolExhausted(Exception):
    """Every range of WORKER_NETWORK_POOL is taken; no further organisation fits on this node."""


class OrgNetworks:
    """Creates and removes the networks. When the worker is itself a container, it joins each of them to reach the apps.

    `own_container` is the id or name of the container we run in (`WORKER_CONTAINER`), or our host name, which is a container's id
    by default.
    """

    def __init__(
        self,
        engine: Engine,
        instance: str,
        pool: IPv4Network,
        *,
        own_container: str,
        routes: Callable[[], list[IPv4Network]],
    ) -> None:
        self._engine = engine
        self._instance = instance
        self._pool = pool
        self._own_container = own_container
        self._routes = routes
        self._turn = asyncio.Lock()
        self._kept: Counter[str] = Counter()
        self._log = structlog.get_logger("networks")

    async def ensure(self, org_id: str) -> str:
        """The name of the organisation's network, created if need be; raises NetworkPoolExhausted."""
        async with self._turn:
            seen = await self._engine.networks()
            network = self._of(org_id, seen)
            if network is None:
                marks = {labels.INSTANCE: self._instance, labels.ORG: org_id}
                network_id = await self._create(self.name(org_id), marks, seen, internal=False)
            else:
                network_id = network.network_id
            own = await self._own_id()
            if own is not None:
                await self._engine.connect(network_id, own)
            return self.name(org_id)

    async def join_all(self) -> None:
        """After the worker's own container was made anew, it is in none of the networks that it made before."""
        own = await self._own_id()
        if own is None:
            return
        for network in await self._engine.networks():
            if self._is_org_network(network):
                await self._engine.connect(network.network_id, own)

    @contextmanager
    def kept(self, org_id: str) -> Iterator[None]:
        """Until it is recorded who needs the network, which was made before: nobody takes it away meanwhile."""
        self._kept[org_id] += 1
        try:
            yield
        finally:
            self._kept[org_id] -= 1
            if not self._kept[org_id]:
                del self._kept[org_id]

    async def remove_unused(self, org_id: str, orgs_in_use: Callable[[], Awaitable[set[str]]]) -> None:
        """Failure policy: a network that somebody else's container still uses stays, which is logged."""
        async with self._turn:
            if org_id in self._kept or org_id in await orgs_in_use():
                return
            network = self._of(org_id, await self._engine.networks())
            if network is None:
                return
            own = await self._own_id()
            if own is not None:
                await self._engine.disconnect(network.network_id, own)
            await self._remove(network)

    async def orgs(self) -> set[str]:
        """The organisations that have a network of ours."""
        return {
            network.labels.get(labels.ORG, "")
            for network in await self._engine.networks()
            if self._is_org_network(network)
        }

    async def ensure_release(self, marks: Mapping[str, str]) -> str:
        """The id of the network of the release that `marks` name, created if need be; raises NetworkPoolExhausted."""
        name = f"plane-{self._instance[2:10]}-{marks[labels.RELEASE]}"
        async with self._turn:
            found = await self._named(name)
            if found is not None:
                return found.network_id
            return await self._create(name, marks, await self._engine.networks(), internal=True)

    async def of_releases(self) -> list[NetworkSeen]:
        """The networks of all releases, whose projects and releases their labels name."""
        return [n for n in await self._engine.networks() if self._is_ours(n) and labels.RELEASE in n.labels]

    async def remove_release(self, network: NetworkSeen) -> None:
        """Failure policy: as with the network of an organisation."""
        await self._remove(network)

    async def bridges(self) -> set[str]:
        """The interfaces of our networks under the names that the engine gives of itself (older networks have them)."""
        seen = await self._engine.networks()
        return {f"br-{n.network_id[:12]}" for n in seen if n.labels.get(labels.INSTANCE) == self._instance}

    def bridge_name(self, org_id: str) -> str:
        """The interface of this machine that leads to the organisation's network."""
        return self._bridge(self.name(org_id))

    def name(self, org_id: str) -> str:
        """Fixed length, whatever the organisation is called; unique to this worker and organisation."""
        return f"plane-{self._instance[2:10]}-{hashlib.sha256(org_id.encode()).hexdigest()[:12]}"

    async def _create(
        self, name: str, marks: Mapping[str, str], seen: list[NetworkSeen], *, internal: bool
    ) -> str:
        routes = await asyncio.to_thread(self._routes)
        taken = [subnet for network in seen for subnet in network.subnets] + routes
        for subnet in free_subnets(self._pool, taken):
            try:
                return await self._engine.create_network(
                    name, subnet, marks, bridge=self._bridge(name), internal=internal
                )
            except EngineRefused as refusal:
                # Taken by something that we cannot see from here (a route of the host while we run in a container).
                if _OVERLAPS in str(refusal):
                    continue
                # Else the worker before us may have asked for it: the engine goes on although nobody waits any more.
                made = await self._made_by_others(name)
                if made is None:
                    raise
                return made.network_id
        raise NetworkPoolExhausted(f"no free range is left in {self._pool}")

    async def _remove(self, network: NetworkSeen) -> None:
        try:
            await self._engine.remove_network(network.network_id)
        except EngineRefused as refusal:
            self._log.warning("network_stays", network=network.name, reason=str(refusal))

    async def _made_by_others(self, name: str) -> NetworkSeen | None:
        """A network takes its name before it is listed."""
        for pause_s in _LISTED_WITHIN_S:
            found = await self._named(name)
            if found is not None:
                return found
            await asyncio.sleep(pause_s)
        return await self._named(name)

    async def _named(self, name: str) -> NetworkSeen | None:
        seen = await self._engine.networks()
        return next((network for network in seen if network.name == name and self._is_ours(network)), None)

    def _bridge(self, network_name: str) -> str:
        """At most 15 characters (IFNAMSIZ); the firewall knows all of them by `bridges_pattern`."""
        digest = hashlib.sha256(network_name.encode()).digest()
        return _bridge_prefix(self._instance) + base64.b32encode(digest).decode().lower()[:7]

    def _of(self, org_id: str, seen: list[NetworkSeen]) -> NetworkSeen | None:
        return next((n for n in seen if self._is_org_network(n) and n.labels.get(labels.ORG) == org_id), None)

    def _is_org_network(self, network: NetworkSeen) -> bool:
        return self._is_ours(network) and labels.RELEASE not in network.labels

    def _is_ours(self, network: NetworkSeen) -> bool:
        return network.labels.get(labels.INSTANCE) == self._instance

    async def _own_id(self) -> str | None:
        if not self._own_container:
            return None
        return await self._engine.id_starting_with(self._own_container)


def bridges_pattern(instance: str) -> str:
    """Every bridge that this worker makes has a name that matches, `*` standing for the rest."""
    return f"{_bridge_prefix(instance)}*"


def _bridge_prefix(instance: str) -> str:
    return f"pl{instance[2:8]}"


def own_container(configured: str | None, hostname: str) -> str:
    """What to look for on the engine to find ourselves; empty when we cannot be a container."""
    if configured is not None:
        return configured
    return hostname if _CONTAINER_HOSTNAME.fullmatch(hostname) else ""
