"""The other nodes, when there is a registry: wired in one place."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from shared.clock import Clock
from shared.supervise import BackgroundJob
from worker.config import Config
from worker.enrolment import local_address_towards
from worker.mesh.announcing import Announcer, HopKeys
from worker.mesh.director import RESPONSE_TIMEOUT_S
from worker.mesh.elsewhere import Elsewhere
from worker.mesh.peers import Peers
from worker.mesh.registry import RedisRegistry
from worker.mesh.table import MeshTable
from worker.mesh.tokens import MeshTokens


@dataclass(frozen=True, slots=True)
class Neighbours:
    """`elsewhere` None: this node is the only one."""

    elsewhere: Elsewhere | None = None
    jobs: Mapping[str, BackgroundJob] = field(default_factory=dict)


@asynccontextmanager
async def neighbourhood(
    config: Config, node: str, table: MeshTable, tokens: MeshTokens, clock: Clock
) -> AsyncIterator[Neighbours]:
    url = config.redis_url
    if url is None:
        yield Neighbours()
        return

    async def address() -> tuple[str, int]:
        if config.mesh_advertise_ip is not None:
            return config.mesh_advertise_ip, config.mesh_port
        found = await asyncio.to_thread(_own_address, url)
        return found, config.mesh_port

    registry, hop_keys = RedisRegistry(url), HopKeys()
    elsewhere = Elsewhere(
        Peers(registry, node, clock), tokens, hop_keys, clock, config.internal_suffix, RESPONSE_TIMEOUT_S
    )
    try:
        announcer = Announcer(registry, table, hop_keys, node, address)
        yield Neighbours(elsewhere, {"mesh registry": announcer.run})
    finally:
        await registry.close()


def _own_address(redis_url: str) -> str:
    """Blocking. The one that leads to the registry, which the other nodes reach too."""
    if redis_url.startswith("unix://"):
        return "127.0.0.1"
    return local_address_towards(redis_url.replace("redis", "http", 1)).strip("[]")
