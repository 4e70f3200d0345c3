"""Waiting for the requests that are under way to backends that get no new ones."""

import asyncio
from collections.abc import Sequence

from worker.deploys.transitions import DRAIN_S
from worker.mesh.table import Backend


async def drain(backends: Sequence[Backend]) -> str:
    """Until they have finished, or for thirty seconds; what came of it, in words."""
    if not backends:
        return "nothing to drain"
    waiting = sum(backend.in_flight for backend in backends)
    try:
        async with asyncio.timeout(DRAIN_S):
            for backend in backends:
                await backend.idle.wait()
    except TimeoutError:
        left = sum(backend.in_flight for backend in backends)
        return f"{left} requests were cut off after {DRAIN_S:.0f} s"
    return f"{waiting} requests finished"
