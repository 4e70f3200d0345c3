"""Waits for what another process will do, when nothing tells that it has."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

Found = TypeVar("Found")


async def eventually(look: Callable[[], Awaitable[Found | None]], timeout_s: float = 30.0) -> Found:
    """What `look` finds, once it is something true."""
    async with asyncio.timeout(timeout_s):
        while not (found := await look()):
            await asyncio.sleep(0.05)
        return found
