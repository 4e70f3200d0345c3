"""Where requests wait while a project with volumes changes from one release to the next."""

import asyncio

HOLD_S = 60.0
"""How long one request waits at most."""
MOST_HELD = 1000


class Hold:
    """Ended once; whoever waits then looks for a backend again."""

    def __init__(self) -> None:
        self._over = asyncio.Event()
        self._waiting = 0

    @property
    def is_full(self) -> bool:
        return self._waiting >= MOST_HELD

    def end(self) -> None:
        self._over.set()

    async def wait(self) -> None:
        """Until the end, or for as long as a request may wait."""
        self._waiting += 1
        try:
            async with asyncio.timeout(HOLD_S):
                await self._over.wait()
        except TimeoutError:
            return
        finally:
            self._waiting -= 1
