"""Cutting short what only waits, so that a stop or a cancel need not wait for a health deadline."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Interrupted(Exception):
    """What was going on for the project was cut short, because something else is wanted now."""


class Interruptions:
    """At most one block for each project at a time, which its lane sees to."""

    def __init__(self) -> None:
        self._scopes: dict[str, asyncio.Timeout] = {}

    @asynccontextmanager
    async def allowed(self, project_id: str) -> AsyncIterator[None]:
        """Raises Interrupted out of the block, at its next await after `interrupt`."""
        try:
            async with asyncio.timeout(None) as scope:
                self._scopes[project_id] = scope
                try:
                    yield
                finally:
                    del self._scopes[project_id]
        except TimeoutError:
            raise Interrupted(Interrupted.__doc__) from None

    def interrupt(self, project_id: str) -> None:
        """No error when nothing is going on."""
        scope = self._scopes.get(project_id)
        if scope is not None:
            scope.reschedule(asyncio.get_running_loop().time())
