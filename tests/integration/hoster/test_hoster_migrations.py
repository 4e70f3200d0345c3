"""A database of an earlier release opens, and what is in it goes on."""

import json
import shutil
from pathlib import Path

from hoster.__main__ import MIGRATIONS
from hoster.deployments.listing import Sought
from hoster.deployments.model import AppUrls
from hoster.deployments.store import DeploymentStore
from hoster.paging import PageRequest
from hoster.releases.store import ReleaseStore
from hoster.templates.store import TemplateStore
from hoster.vault import Vault
from shared.clock import SystemClock
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
        for node in ("n0", "n1"):
            await connection.execute(
                "INSERT INTO nodes (id, name, public, join_token_hash, created_at) VALUES (?, ?, 1, ?, 1)",
                (node, node, node),
            )
        for seq, (state, release) in enumerate(
            [("running", "dpl_1"), ("starting", None), ("deleted", "dpl_2"), ("pending", None)]
        ):
            await connection.execute(
                "INSERT INTO deployments (id, user_id, org_id, name, project_id, source, visibility, status, required_capabilities,"
                " cpu_millis, memory_mb, disk_mb, release_id, node_id, created_at, updated_at)"
                " VALUES (?, 'u', 'o', 'Ärger', ?, ?, 'public', ?, '[]', 500, 256, 512, ?, ?, 1, 1)",
                (
                    f"d{seq}",
                    f"p{seq}",
                    json.dumps({"image": "a", "port": 80}),
                    state,
                    release,
                    None if state == "pending" else "n0",
                ),
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
        named = Sought(name="ÄRGER", status=None)
        found = await deployments.page("u", PageRequest(10, None), AppUrls("apps.localhost", 0), named)
        assert (found.total, len(found.items)) == (3, 3)
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
        counts = await database.fetch_all("SELECT what, state, n FROM counts ORDER BY what, state")
        assert [tuple(row) for row in counts] == [
            ("billing_events", "deployment.created", 1), ("deployments", "deleted", 1), ("deployments", "pending", 1),
            ("deployments", "running", 1), ("deployments", "starting", 1), ("jobs", "queued", 1), ("users", "known", 1),
        ]  # fmt: skip
        [tally] = await database.fetch_all("SELECT billing_events FROM tallies")
        assert tally["billing_events"] == 1
        assert await _promised(database) == {"n0": 1000, "n1": 0}
    finally:
        await database.close()


async def test_the_room_on_a_node_is_what_its_live_deployments_were_promised(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "hoster.db", MIGRATIONS)
    steps = (
        ("UPDATE deployments SET node_id = 'n0', status = 'scheduled'", {"n0": 500, "n1": 0}),
        ("UPDATE deployments SET status = 'running', cpu_millis = 700", {"n0": 700, "n1": 0}),
        ("UPDATE deployments SET node_id = 'n1'", {"n0": 0, "n1": 700}),
        ("UPDATE deployments SET status = 'deleting'", {"n0": 0, "n1": 700}),
        ("UPDATE deployments SET status = 'deleted'", {"n0": 0, "n1": 0}),
        ("UPDATE deployments SET node_id = NULL", {"n0": 0, "n1": 0}),
    )
    try:
        async with database.transaction() as connection:
            await connection.executescript(
                "INSERT INTO users VALUES ('u', 'o', 'p', 1);"
                "INSERT INTO nodes (id, name, public, join_token_hash, created_at) VALUES ('n0', '', 1, 'a', 1), ('n1', '', 1, 'b', 1);"
                "INSERT INTO deployments (id, user_id, org_id, name, project_id, source, visibility, status, required_capabilities,"
                " cpu_millis, memory_mb, disk_mb, created_at, updated_at)"
                " VALUES ('d', 'u', 'o', 'n', 'p', '{}', 'public', 'pending', '[]', 500, 256, 512, 1, 1);"
            )
        for statement, promised in steps:
            async with database.transaction() as connection:
                await connection.execute(statement)
            assert await _promised(database) == promised, statement
    finally:
        await database.close()


async def test_templates_from_before_are_found_by_their_words(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    for script in sorted(MIGRATIONS.glob("00*.sql")):
        if script.name < "0011":
            shutil.copy(script, old)
    database = await Database.open(tmp_path / "hoster.db", old)
    document = {
        "name": "My Blog", "description": "Says THINGS", "category": "tools", "tags": ["cms", "web"], "version": "1.0.0",
        "compose": "", "variables": [], "resources": {"cpu_cores": 1, "memory_mb": 64, "disk_mb": 64},
        "required_capabilities": [], "price_monthly_cents": 0,
    }  # fmt: skip
    async with database.transaction() as connection:
        await connection.execute("INSERT INTO users VALUES ('u', 'o', 'p', 1)")
        await connection.execute(
            "INSERT INTO templates (id, slug, author_id, revision, published, created_at, updated_at) VALUES ('t', 's', 'u', 2, 1, 1, 1)"
        )
        for revision, name in ((1, "Former"), (2, "My Blog")):
            await connection.execute(
                "INSERT INTO template_revisions VALUES ('t', ?, ?, 1)",
                (revision, json.dumps({**document, "name": name})),
            )
    await database.close()

    database = await Database.open(tmp_path / "hoster.db", MIGRATIONS)
    try:
        templates = TemplateStore(database, SystemClock())
        for q, category, total in (
            ("my BLOG", None, 1), ("things", "tools", 1), ("cms", None, 1), (None, "tools", 1), ("former", None, 0), ("my", "web", 0),
        ):  # fmt: skip
            page = await templates.page("someone", PageRequest(50, None), q, category)
            assert (page.total, len(page.items)) == (total, total), (q, category)
    finally:
        await database.close()


async def _promised(database: Database) -> dict[str, int]:
    rows = await database.fetch_all(
        "SELECT id, promised_cpu_millis, promised_memory_mb, promised_disk_mb FROM nodes"
    )
    assert all(
        row["promised_memory_mb"] % 256 == 0 and row["promised_disk_mb"] == 2 * row["promised_memory_mb"]
        for row in rows
    )
    return {row["id"]: row["promised_cpu_millis"] for row in rows}
