"""A database of an earlier release opens, and what is in it goes on."""

import json
import shutil
from pathlib import Path

from hoster.__main__ import MIGRATIONS
from hoster.deployments.store import DeploymentStore
from hoster.paging import PageRequest
from hoster.releases.store import ReleaseStore
from hoster.vault import Vault
from shared.database import Database

VAULT = Vault(b"k" * 32)


async def test_what_ran_before_releases_were_recorded_has_one_with_its_passwords(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    for script in sorted(MIGRATIONS.glob("000[1-3]_*.sql")):
        shutil.copy(script, old)
    database = await Database.open(tmp_path / "hoster.db", old)
    async with database.transaction() as connection:
        await connection.execute("INSERT INTO users VALUES ('u', 'o', 'p', 1)")
        for seq, (state, release) in enumerate(
            [("running", "dpl_1"), ("starting", None), ("deleted", "dpl_2"), ("pending", None)]
        ):
            await connection.execute(
                "INSERT INTO deployments (id, user_id, org_id, name, project_id, source, visibility, status, required_capabilities,"
                " cpu_millis, memory_mb, disk_mb, release_id, created_at, updated_at)"
                " VALUES (?, 'u', 'o', 'n', ?, ?, 'public', ?, '[]', 500, 256, 512, ?, 1, 1)",
                (f"d{seq}", f"p{seq}", json.dumps({"image": "a", "port": 80}), state, release),
            )
            sealed = VAULT.seal("s3cret", f"deployments/d{seq}/variables/P")
            await connection.execute(
                "INSERT INTO deployment_variables VALUES (?, 'P', NULL, ?), (?, 'A', '1', NULL)",
                (f"d{seq}", sealed, f"d{seq}"),
            )
        await connection.execute(
            "INSERT INTO jobs (id, deployment_id, kind, volumes, status, not_before, deadline_at, created_at)"
            " VALUES ('j', 'd1', 'start', 'keep', 'queued', 1, 1, 1)"
        )
        await connection.execute(
            "INSERT INTO billing_events VALUES (NULL, 'e', 'u', 'deployment.created', 'd0', 'deployment', 'r', 202, 1)"
        )
    await database.close()

    database = await Database.open(tmp_path / "hoster.db", MIGRATIONS)
    try:
        deployments, releases = DeploymentStore(database, VAULT), ReleaseStore(database, VAULT)
        running = await deployments.get("d0")
        assert running is not None
        assert (running.release_id, running.pending_changes) == ("dpl_1", ())
        page = await releases.page("d0", PageRequest(10, None))
        assert [(one.id, one.node_release, one.status) for one in page.items] == [
            ("dpl_1", "dpl_1", "deployed")
        ]
        assert (await releases.values(page.items[0])).texts() == {"A": "1", "P": "s3cret"}

        [job] = await database.fetch_all("SELECT release_id FROM jobs")
        waiting = await releases.get(job["release_id"])
        assert waiting is not None
        assert (waiting.deployment_id, waiting.status) == ("d1", "deploying")
        assert (await releases.page("d2", PageRequest(10, None))).total == 0
        assert (await deployments.usage("u")).as_json() == {
            "deployments": 3, "cpu_cores": 1.5, "memory_mb": 768, "disk_mb": 1536,
        }  # fmt: skip
        [tally] = await database.fetch_all("SELECT billing_events FROM tallies")
        assert tally["billing_events"] == 1
    finally:
        await database.close()
