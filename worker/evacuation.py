"""Taking our containers and networks off the engine while the worker is stopped; its records and volumes stay.

The next start brings everything that was running back from the records.
"""

import asyncio

from worker.runtime import labels
from worker.runtime.engine import Engine
from worker.runtime.profile import STOP_GRACE_S

AT_ONCE = 8


async def evacuate(engine: Engine, instance: str) -> tuple[int, int]:
    """How many containers and networks went. Raises EngineUnavailable, and EngineRefused for a network in use by others."""
    containers = await engine.containers({labels.INSTANCE: instance})
    turns = asyncio.Semaphore(AT_ONCE)
    async with asyncio.TaskGroup() as group:
        for container in containers:
            group.create_task(_take_off(engine, container.container_id, turns))
    networks = [seen for seen in await engine.networks() if seen.labels.get(labels.INSTANCE) == instance]
    for network in networks:
        await engine.remove_network(network.network_id)
    return len(containers), len(networks)


async def _take_off(engine: Engine, container_id: str, turns: asyncio.Semaphore) -> None:
    async with turns:
        # Else a restart policy would start it again between the stop and the removal.
        await engine.keep_running(container_id, on=False)
        await engine.stop(container_id, STOP_GRACE_S)
        await engine.remove(container_id)
