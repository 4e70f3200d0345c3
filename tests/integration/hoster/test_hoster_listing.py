"""A list is written by the database, one deployment by Python: they must never show two different things."""

import json
import random
from itertools import product
from pathlib import Path
from typing import Any

from hoster.__main__ import MIGRATIONS
from hoster.deployments.model import AppUrls
from hoster.deployments.store import DeploymentStore
from hoster.paging import PageRequest
from hoster.vault import Vault
from shared.database import Database

TEMPLATE = ("tmpl_1", 2, None)
IMAGE = (None, None, json.dumps({"image": "a/\u00fc:1", "port": 80}))
GIT = (None, None, json.dumps({"git": {"url": "https://h/p", "ref": "main", "ssh_key_id": None}, "port": 1, "dockerfile": None}))  # fmt: skip
VALUES: dict[str, Any] = {
    "TEXT": 'zoë "said"\n\\',
    "WHOLE": 2**60,
    "HALF": 0.1,
    "BIG": 1e300,
    "YES": True,
    "EMPTY": "",
}
RELEASED = [None, {"TEXT": "former", "GONE": 1}, VALUES]


async def _fill(database: Database) -> list[str]:
    """Every source with every release, visibility and kind of domain, at moments of all kinds. Returns the ids, newest first."""
    chance = random.Random(7)  # noqa: S311 - the same rows each time
    made = []
    async with database.transaction() as connection:
        run = connection.execute
        await run("INSERT INTO users VALUES ('user_1', 'org_1', 'pro', 1)")
        await run(
            "INSERT INTO templates (id, slug, revision, published, created_at, updated_at) VALUES ('tmpl_1', 'shop', 2, 1, 1, 1)"
        )
        for revision in (1, 2):
            await run("INSERT INTO template_revisions VALUES ('tmpl_1', ?, '{}', 1)", (revision,))
        kinds = product((TEMPLATE, IMAGE, GIT), RELEASED, (None, "public", "private"), (0, 2))
        for number, (source, released, told, domains) in enumerate(kinds):
            name = f"dep_{number}"
            moments = [chance.uniform(0, 4e9) for _ in range(2)] + [
                chance.choice([None, 1.0005, 1763801234.123, 0.9999996]) for _ in range(2)
            ]
            await run(
                "INSERT INTO deployments (id, user_id, org_id, name, project_id, template_id, template_revision, source, visibility,"
                " node_visibility, status, status_reason, required_capabilities, cpu_millis, memory_mb, disk_mb, release_id, created_at,"
                " updated_at, started_at, stopped_at)"
                " VALUES (?, 'user_1', 'org_1', ?, ?, ?, ?, ?, 'public', ?, 'running', ?, '[]', ?, 64, 64, ?, ?, ?, ?, ?)",
                (
                    name, f"app '{number}' \u2028", f"app-{number}", *source, told, chance.choice([None, "for\tno reason"]),
                    chance.choice([1, 250, 333, 1000, 256_000]), None if released is None else f"rel_{number}", *moments,
                ),
            )  # fmt: skip
            await _write_variables(connection, "deployment", name, VALUES, b"sealed")
            if released is not None:
                await run(
                    "INSERT INTO releases (id, deployment_id, template_id, template_revision, source, cpu_millis, memory_mb, disk_mb,"
                    " status, created_at) VALUES (?, ?, ?, ?, ?, 1, 1, 1, 'deployed', 1)",
                    (f"rel_{number}", name, source[0], source[1] and 1 + number % 2, source[2]),
                )
                sealed = chance.choice([b"sealed", b"another"])
                await _write_variables(connection, "release", f"rel_{number}", released, sealed)
            for host in ("b.example", "a.example")[:domains]:
                proved = chance.choice([1.0, None])
                await run(
                    "INSERT INTO domains (hostname, deployment_id, claimed_at, verified_at) VALUES (?, ?, 1, ?)",
                    (f"{number}.{host}", name, proved),
                )
            made.append(name)
    return made[::-1]


async def _write_variables(
    connection: Any, owner: str, owner_id: str, values: dict[str, Any], sealed: bytes
) -> None:
    await connection.executemany(
        f"INSERT INTO {owner}_variables VALUES (?, ?, ?, NULL)",  # noqa: S608 - one of two names
        [(owner_id, name, json.dumps(value)) for name, value in values.items()],
    )
    await connection.execute(
        f"INSERT INTO {owner}_variables VALUES (?, 'PASSWORD', NULL, ?)",  # noqa: S608 - one of two names
        (owner_id, sealed),
    )


async def test_a_list_shows_each_deployment_as_it_is_shown_alone(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "hoster.db", MIGRATIONS)
    store = DeploymentStore(database, Vault(b"k" * 32))
    try:
        ids = await _fill(database)
        for urls in (AppUrls("apps.localhost", 8090), AppUrls("zexio.app", 0)):
            page = await store.page("user_1", PageRequest(200, None), urls)
            alone = [await store.find(deployment_id, "user_1") for deployment_id in ids]

            listed = [json.loads(item) for item in page.items]
            assert listed == [one.as_json(urls) for one in alone if one is not None]
            assert (len(listed), page.total, page.last) == (len(ids), len(ids), None)
            for shown, one in zip(listed, alone, strict=True):
                assert one is not None
                as_json = one.as_json(urls)
                assert list(shown) == list(as_json)
                assert json.dumps(shown["variables"], sort_keys=True) == json.dumps(
                    as_json["variables"], sort_keys=True
                )
    finally:
        await database.close()
