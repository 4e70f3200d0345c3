"""Whether the container that the mesh means is the one that it has connected to.

Fact: addresses are used again. The engine may give that of a container that has just died to another organisation's before the worker
has heard of the death. A connection was to the right one when that container, asked about after the connection was there, still runs
since the same start and has the address: nobody else can have had it in between.

Fact: the engine says nothing of a container while it starts or stops it, and that may take seconds. Just then its address may be another's.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog

from worker.errors import EngineUnavailable
from worker.mesh.table import Backend
from worker.runtime.engine import ContainerSeen, EngineRefused

LOOK_DEADLINE_S = 1.0
HELD_DEADLINE_S = 10.0
"""For an engine that answers, but not about this container."""
_NOBODY = "0" * 64


class Inspecting(Protocol):
    async def inspect(self, container_id: str) -> ContainerSeen | None: ...


class Occupancy:
    """Failure policy: an engine that answers nothing at all gives no address to anybody either, so then the connection is believed."""

    def __init__(self, engine: Inspecting) -> None:
        self._engine = engine

    def of(self, backend: Backend) -> Callable[[], Awaitable[bool]]:
        """To be called when a connection to the backend has been made."""
        # Of its members, not of itself: whoever holds the answer must not keep the backend alive.
        container_id, started_at, address = backend.container_id, backend.started_at, backend.address

        async def look() -> bool:
            try:
                seen = await self._inspect(container_id)
            except TimeoutError:
                return False
            except (EngineUnavailable, EngineRefused):
                structlog.get_logger("mesh").warning("occupancy_unknown", container=container_id[:12])
                return True
            return (
                seen is not None
                and seen.running
                and seen.started_at == started_at
                and address in seen.addresses.values()
            )

        return SharedLook(look)

    async def _inspect(self, container_id: str) -> ContainerSeen | None:
        """Raises TimeoutError when the engine answers, but not about this container."""
        try:
            async with asyncio.timeout(LOOK_DEADLINE_S):
                return await self._engine.inspect(container_id)
        except TimeoutError:
            await self._check_engine()
        async with asyncio.timeout(HELD_DEADLINE_S):
            return await self._engine.inspect(container_id)

    async def _check_engine(self) -> None:
        try:
            async with asyncio.timeout(LOOK_DEADLINE_S):
                await self._engine.inspect(_NOBODY)
        except TimeoutError as error:
            raise EngineUnavailable(f"no answer within {LOOK_DEADLINE_S:.0f} s") from error


class SharedLook:
    """One look for all who called before it began, since any later moment proves as much."""

    def __init__(self, look: Callable[[], Awaitable[bool]]) -> None:
        self._look = look
        self._turn = asyncio.Lock()
        self._begun = 0
        self._seen = False

    async def __call__(self) -> bool:
        wanted = self._begun + 1
        async with self._turn:
            if self._begun < wanted:
                self._begun += 1
                self._seen = await self._look()
            return self._seen
