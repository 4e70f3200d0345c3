"""The last thousand events of each project, in SQLite."""

from dataclasses import dataclass

from shared.clock import Clock
from shared.database import Database, Row
from worker.streams.ring import Pulse

KEPT_EVENTS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectEvent:
    """`container` is the name of the service, empty for events of the project as a whole."""

    event_id: int
    at: float
    kind: str
    container: str
    message: str


class EventLog:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self.news = Pulse()
        self.recorded = 0
        """Counts what was written by this process: unchanged, there is nothing new to read."""

    async def record(self, project_id: str, kind: str, container: str, message: str) -> None:
        """Nothing is recorded for a project that is gone."""
        async with self._database.transaction() as writer:
            await writer.execute(
                "INSERT INTO events (project_id, at, kind, container, message) SELECT ?, ?, ?, ?, ?"
                " WHERE EXISTS (SELECT 1 FROM projects WHERE project_id = ?)",
                (project_id, self._clock.now(), kind, container, message, project_id),
            )
            await writer.execute(
                "DELETE FROM events WHERE project_id = ? AND event_id <= (SELECT event_id FROM events"
                " WHERE project_id = ? ORDER BY event_id DESC LIMIT 1 OFFSET ?)",
                (project_id, project_id, KEPT_EVENTS),
            )
        self.recorded += 1
        self.news.beat()

    async def newest(self, project_id: str, limit: int, kind: str | None) -> list[ProjectEvent]:
        """Newest first."""
        rows = await self._database.fetch_all(
            "SELECT * FROM events WHERE project_id = ? AND (? IS NULL OR kind = ?) ORDER BY event_id DESC LIMIT ?",
            (project_id, kind, kind, limit),
        )
        return [_event(row) for row in rows]

    async def after(self, project_id: str, event_id: int, limit: int) -> list[ProjectEvent]:
        """Oldest first."""
        rows = await self._database.fetch_all(
            "SELECT * FROM events WHERE project_id = ? AND event_id > ? ORDER BY event_id LIMIT ?",
            (project_id, event_id, limit),
        )
        return [_event(row) for row in rows]

    async def oldest_id(self, project_id: str) -> int:
        """0 when the project has no events."""
        row = await self._database.fetch_one(
            "SELECT COALESCE(MIN(event_id), 0) AS oldest FROM events WHERE project_id = ?", (project_id,)
        )
        return 0 if row is None else int(row["oldest"])

    async def before_newest(self, project_id: str, count: int) -> int:
        """After which the newest `count` come; 0 when there are no more than those."""
        row = await self._database.fetch_one(
            "SELECT event_id FROM events WHERE project_id = ? ORDER BY event_id DESC LIMIT 1 OFFSET ?",
            (project_id, count),
        )
        return 0 if row is None else int(row["event_id"])

    async def last_id(self) -> int:
        row = await self._database.fetch_one("SELECT COALESCE(MAX(event_id), 0) AS last FROM events")
        return 0 if row is None else int(row["last"])

    async def kinds_after(self, event_id: int) -> dict[str, list[str]]:
        """What happened since, by project, oldest first."""
        rows = await self._database.fetch_all(
            "SELECT project_id, kind FROM events WHERE event_id > ? ORDER BY event_id", (event_id,)
        )
        kinds: dict[str, list[str]] = {}
        for row in rows:
            kinds.setdefault(row["project_id"], []).append(row["kind"])
        return kinds


def _event(row: Row) -> ProjectEvent:
    return ProjectEvent(
        event_id=row["event_id"],
        at=row["at"],
        kind=row["kind"],
        container=row["container"],
        message=row["message"],
    )
