"""A row for each user that APIGate has vouched for."""

from hoster.viewer import Viewer
from shared.clock import Clock
from shared.database import Database

_REMEMBERED_MOST = 10_000


class UserStore:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._written: dict[str, tuple[str, str]] = {}

    async def introduce(self, viewer: Viewer) -> None:
        """Writes only when the database does not say so yet; what this process wrote before is not asked for again."""
        now_says = (viewer.org_id, viewer.plan_id)
        if self._written.get(viewer.user_id) == now_says:
            return
        row = await self._database.fetch_one(
            "SELECT org_id, plan_id FROM users WHERE id = ?", (viewer.user_id,)
        )
        if row is None or (row["org_id"], row["plan_id"]) != now_says:
            await self._write(viewer)
        if len(self._written) >= _REMEMBERED_MOST:
            self._written.clear()
        self._written[viewer.user_id] = now_says

    async def _write(self, viewer: Viewer) -> None:
        async with self._database.transaction() as connection:
            await connection.execute(
                "INSERT INTO users (id, org_id, plan_id, created_at) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET org_id = excluded.org_id, plan_id = excluded.plan_id",
                (viewer.user_id, viewer.org_id, viewer.plan_id, self._clock.now()),
            )
