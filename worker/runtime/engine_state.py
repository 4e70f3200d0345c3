"""Whether the engine answers, as last seen, and when that changes."""

import asyncio


class EngineState:
    """Written by who talks to the engine all the time, read by who reports it."""

    def __init__(self) -> None:
        self._up: bool | None = None
        self._changed = asyncio.Event()

    @property
    def up(self) -> bool:
        return self._up is True

    def see(self, *, up: bool) -> bool:
        """Whether that is news."""
        if up is self._up:
            return False
        self._up = up
        self._changed.set()
        return True

    async def change(self, timeout_s: float) -> None:
        """Returns at the next change since the last call, or after `timeout_s`. For one caller."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._changed.wait()
        except TimeoutError:
            return
        self._changed.clear()
