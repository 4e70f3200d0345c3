"""Closing a listener to which somebody connects all the time."""

import asyncio
from collections.abc import Iterable
from typing import Protocol


class HasFileno(Protocol):
    def fileno(self) -> int: ...


async def accept_no_more(sockets: Iterable[HasFileno]) -> None:
    """To be awaited before the server is closed.

    A connection that is accepted in the same turn of the loop in which its server is closed is forgotten unclosed (Python 3.11), and a later
    test is failed for it: no more are accepted, and what was is let in, before.
    """
    for listening in sockets:
        asyncio.get_running_loop().remove_reader(listening.fileno())
    for _ in range(2):
        await asyncio.sleep(0)
