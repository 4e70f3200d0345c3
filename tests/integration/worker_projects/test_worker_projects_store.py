"""What is recorded of a project, in a real database."""

import asyncio
from pathlib import Path

from shared.database import Database
from worker.mesh.table import Visibility
from worker.projects.model import Project, State
from worker.projects.store import ProjectStore, Sealed
from worker.runtime.engine import Limits
from worker.service import MIGRATIONS


async def test_a_project_that_is_to_be_restarted_is_shown_as_running_by_nobody_who_saw_it_before(
    tmp_path: Path,
) -> None:
    database = await Database.open(tmp_path / "worker.db", MIGRATIONS)
    try:
        store = ProjectStore(database)
        project = Project(
            project_id="site",
            org_id="org_a",
            name="site",
            visibility=Visibility.PUBLIC,
            limits=Limits(cpu=1.0, memory_mb=64, disk_mb=64, pids=64),
            domains=(),
            created_at=0.0,
        )
        await store.add(project, Sealed(None, None))

        # The order of what is written at once is that of the calls.
        await asyncio.gather(store.want_restart("site"), store.see("site", State.RUNNING))

        asked = await store.get("site")
        assert (asked.state, asked.restart_wanted) == (State.STARTING, True)
        await store.restarted("site")
        await store.see("site", State.RUNNING)
        assert (await store.get("site")).state is State.RUNNING
    finally:
        await database.close()
