"""What a build says, into the deploy's record and the project's events: at most twice a second, however fast it talks."""

from collections import deque

from shared.clock import Clock
from worker.deploys.model import Deploy
from worker.deploys.records import Records

KEPT_LINES = 100
FLUSH_S = 0.5

_LINE_CHARACTERS = 500
_EVENT_CHARACTERS = 4000


class BuildLog:
    def __init__(self, records: Records, deploy: Deploy, clock: Clock) -> None:
        self._records = records
        self._deploy = deploy
        self._clock = clock
        self._kept: deque[str] = deque(maxlen=KEPT_LINES)
        self._new: deque[str] = deque(maxlen=KEPT_LINES)
        self._flushed_at = clock.monotonic()

    def last(self) -> tuple[str, ...]:
        return tuple(self._kept)

    async def say(self, text: str) -> None:
        if not text.strip():
            return
        line = text[:_LINE_CHARACTERS].rstrip()
        self._kept.append(line)
        self._new.append(line)
        if self._clock.monotonic() - self._flushed_at >= FLUSH_S:
            await self.flush()

    async def flush(self) -> None:
        if not self._new:
            return
        self._flushed_at = self._clock.monotonic()
        message = "\n".join(self._new)[-_EVENT_CHARACTERS:]
        self._new.clear()
        await self._records.deploys.tell(self._deploy.deploy_id, self.last())
        await self._records.events.record(
            self._deploy.project_id, "build_output", self._deploy.request.web, message
        )
