"""One lane for each project and each add-on: whatever changes its containers runs there, one thing at a time."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from worker.errors import EngineUnavailable

log = structlog.get_logger("lanes")

Turn = Callable[[str], Awaitable[bool]]
"""Does the next thing for a project; whether there may be more to do."""


class Lanes:
    """What is to be done is in the database; a nudge only says: look. Nudges during a turn make one more turn.

    Failure policy: a turn that fails is logged; the next nudge (the reconciler's, at the latest) tries again.
    """

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._waiting: asyncio.Queue[str] = asyncio.Queue()
        self._busy: set[str] = set()
        self._again: set[str] = set()
        self._changes: dict[str, asyncio.Event] = {}
        self._ended = False

    def nudge(self, project_id: str) -> None:
        if project_id in self._busy:
            self._again.add(project_id)
            return
        self._busy.add(project_id)
        self._waiting.put_nowait(project_id)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                project_id = await self._waiting.get()
                tasks.create_task(self._work(project_id), name=f"lane {project_id}")

    async def until(self, project_id: str, done: Callable[[], Awaitable[bool]]) -> None:
        """Waits for the first turn of this project after which `done` holds, or until there are no more turns."""
        while True:
            change = self._changes.setdefault(project_id, asyncio.Event())
            if await done() or self._ended:
                return
            await change.wait()

    def end(self) -> None:
        """There are no more turns: nobody need wait for one."""
        self._ended = True
        for project_id in list(self._changes):
            self._announce(project_id)

    async def idle(self, project_id: str) -> None:
        """Waits until nothing is going on for this project."""

        async def is_idle() -> bool:
            return project_id not in self._busy

        await self.until(project_id, is_idle)

    async def _work(self, project_id: str) -> None:
        more = True
        while more:
            self._again.discard(project_id)
            more = await self._guarded_turn(project_id) or project_id in self._again
            if not more:
                self._busy.discard(project_id)
            self._announce(project_id)

    async def _guarded_turn(self, project_id: str) -> bool:
        try:
            return await self._turn(project_id)
        except EngineUnavailable as error:
            log.warning("engine_unavailable", project=project_id, reason=str(error))
        except Exception:
            log.exception("lane_turn_failed", project=project_id)
        return False

    def _announce(self, project_id: str) -> None:
        change = self._changes.pop(project_id, None)
        if change is not None:
            change.set()
