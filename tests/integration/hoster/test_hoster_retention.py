"""What is over is forgotten after its time; what lives, and what was billed, is not."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from hoster.__main__ import MIGRATIONS
from hoster.deployments.model import Happening
from hoster.deployments.moves import EVENTS_KEPT
from hoster.deployments.store import DEPLOYMENT_STORE
from hoster.idempotency.store import KEPT_S, Asked, Claimed, IdempotencyStore, Stored
from hoster.releases.store import KEPT as RELEASES_KEPT
from hoster.retention import Retention
from hoster.status_api import DATABASE
from hoster.vault import Vault
from shared.clock import SystemClock
from shared.database import Database
from tests.fakes.hoster_worker import FakeWorker
from tests.integration.hoster.conftest import Hoster, User
from tests.integration.hoster.test_hoster_operations import ask_as_gateway

DEPLOYMENTS = "/api/v1/deployments"
DAY_S = 86_400.0
HISTORY_S = 90 * DAY_S

FORGOTTEN = {
    "jobs", "deployments", "deployment_variables", "deployment_events", "releases", "release_variables", "templates",
    "template_revisions", "domains", "idempotency_keys", "cancelled_requests",
}  # fmt: skip
BOUNDED = {
    "billing_events": "stay for ever: what customers are billed for",
    "users": "one for each account of APIGate",
    "tallies": "one for each user",
    "counts": "one for each state that there is",
    "nodes": "until their owner removes them",
    "node_bootstraps": "at most one for each node",
    "node_nonces": "at each heartbeat those of the node that are too old to be believed go",
    "ssh_keys": "until their owner removes them",
}


@dataclass
class LaterClock:
    """The time of day, so many seconds later."""

    by_s: float = 0.0

    def now(self) -> float:
        return SystemClock().now() + self.by_s

    def monotonic(self) -> float:
        return SystemClock().monotonic()


@pytest.fixture
def forget_after(hoster: Hoster) -> Callable[[float], Any]:
    def enforce(later_s: float) -> Any:
        return Retention(hoster.app[DATABASE], LaterClock(later_s), HISTORY_S, at_once=2).enforce()

    return enforce


async def _rows(hoster: Hoster) -> dict[str, int]:
    database = hoster.app[DATABASE]
    tables = FORGOTTEN | BOUNDED.keys() - {"node_nonces"}
    return {
        table: (await database.fetch_all(f"SELECT count(*) AS n FROM {table}"))[0]["n"]  # noqa: S608 - names from above
        for table in tables
    }


async def _deployed(user: User, template_id: str, name: str) -> dict[str, Any]:
    body = {"name": name, "template_id": template_id, "variables": {"MESSAGE": name}}
    created = await user.ask("POST", DEPLOYMENTS, body)
    assert created.status == 202, created.body
    return await user.until(created.body["id"], "running")


async def _written(user: User) -> str:
    web = {
        "image": "shop:1",
        "expose": [80],
        "environment": {"M": "${MESSAGE}"},
        "healthcheck": {"x-path": "/"},
    }
    body = {
        "name": "Shop", "compose": json.dumps({"services": {"web": web}}), "variables": [{"name": "MESSAGE", "default": "x"}],
        "resources": {"cpu_cores": 1, "memory_mb": 64, "disk_mb": 64},
    }  # fmt: skip
    written = await user.ask("POST", "/api/v1/templates", body)
    assert written.status == 201, written.body
    return str(written.body["id"])


async def test_every_table_is_forgotten_in_time_or_cannot_grow_without_end(hoster: Hoster) -> None:
    tables = await hoster.app[DATABASE].fetch_all(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    )
    assert {row["name"] for row in tables} == FORGOTTEN | BOUNDED.keys()


@pytest.mark.usefixtures("worker")
async def test_what_was_deleted_goes_with_all_that_belongs_to_it_and_what_was_billed_stays(
    hoster: Hoster, user: User, forget_after: Any
) -> None:
    template_id = await _written(user)
    before = await _rows(hoster)
    gone = [await _deployed(user, template_id, f"gone {number}") for number in range(3)]
    for one in gone:
        at = f"{DEPLOYMENTS}/{one['id']}"
        claimed = await user.ask("POST", f"{at}/domains", {"hostname": f"{one['id'][4:12]}.example.com"})
        assert claimed.status == 201, claimed.body
        assert (await user.ask("DELETE", at, request_id=f"delete-{one['id']}")).status == 202
        await user.until_gone(one["id"])
    assert (await user.ask("DELETE", f"/api/v1/templates/{template_id}")).status == 204

    await forget_after(HISTORY_S - 60)
    assert (await _rows(hoster))["deployments"] == 3, "not before its time"
    forgotten = await forget_after(HISTORY_S + 60)

    assert (forgotten["deployments"], forgotten["templates"]) == (3, 1)
    after = await _rows(hoster)
    assert after["billing_events"] == 6
    for table in FORGOTTEN - {"templates", "template_revisions"}:
        assert after[table] == 0, table
    for table in ("templates", "template_revisions"):
        assert after[table] == before[table] - 1, table
    for one in gone:
        told = await ask_as_gateway(user, "GET", f"delete-{one['id']}")
        assert (told.status, told.body["event_type"]) == (200, "deployment.deleted")
    assert (await user.ask("GET", "/api/v1/billing/events")).body["total"] == 6
    assert (await user.ask("GET", f"{DEPLOYMENTS}/{gone[0]['id']}")).status == 404


@pytest.mark.usefixtures("worker")
async def test_of_a_template_the_revisions_that_nobody_has_go_when_they_were_replaced_long_ago(
    hoster: Hoster, user: User, forget_after: Any
) -> None:
    template_id = await _written(user)
    template = f"/api/v1/templates/{template_id}"

    async def revise(description: str) -> None:
        assert (await user.ask("PATCH", template, {"description": description})).status == 200

    async def kept() -> list[int]:
        rows = await hoster.app[DATABASE].fetch_all(
            "SELECT revision FROM template_revisions WHERE template_id = ? ORDER BY revision", (template_id,)
        )
        return [row["revision"] for row in rows]

    await revise("second: has a deployment, later only its release")
    one = await _deployed(user, template_id, "lives")
    at = f"{DEPLOYMENTS}/{one['id']}"
    for number in range(3, 8):
        await revise(f"number {number}")
    await user.ask("PATCH", at, {"template_revision": 5})
    await user.ask("POST", f"{at}/redeploy")
    await user.until(one["id"], "running")

    await forget_after(HISTORY_S - 60)
    assert await kept() == [1, 2, 3, 4, 5, 6, 7]
    assert (await forget_after(HISTORY_S + 60))["template_revisions"] == 4
    assert await kept() == [2, 5, 7]

    gone = await user.ask("PATCH", at, {"template_revision": 3})
    assert (gone.status, [fault["field"] for fault in gone.body["errors"]]) == (422, ["template_revision"])
    assert (await user.ask("POST", f"{at}/rollback", {"release_id": one["release_id"]})).status == 202
    assert (await user.until(one["id"], "running"))["template_revision"] == 2
    assert (await user.ask("GET", template)).body["revision"] == 7


@pytest.mark.usefixtures("worker")
async def test_what_lives_goes_on_as_if_nothing_had_been_forgotten(
    hoster: Hoster, user: User, hello_id: str, forget_after: Any
) -> None:
    one = await _deployed(user, hello_id, "lives")
    at = f"{DEPLOYMENTS}/{one['id']}"
    for order, state in (("stop", "stopped"), ("start", "running"), ("restart", "running")):
        await user.ask("POST", f"{at}/{order}")
        await user.until(one["id"], state)
    before = (await user.ask("GET", at)).body

    forgotten = await forget_after(HISTORY_S + 60)

    assert forgotten["jobs"] == 4
    assert (await user.ask("GET", at)).body == before
    assert [one["id"] for one in (await user.ask("GET", f"{at}/releases")).body["items"]] == [
        before["release_id"]
    ]
    redeployed = await user.ask("POST", f"{at}/redeploy")
    assert redeployed.status == 202
    await user.until(one["id"], "running")
    assert (await user.ask("DELETE", at)).status == 202
    await user.until_gone(one["id"])


async def test_a_job_that_still_waits_for_its_node_is_not_forgotten_however_old(
    hoster: Hoster, user: User, worker: FakeWorker, hello_id: str, forget_after: Any
) -> None:
    one = await _deployed(user, hello_id, "waits")
    await worker.stop()
    assert (await user.ask("DELETE", f"{DEPLOYMENTS}/{one['id']}")).status == 202

    await forget_after(10 * HISTORY_S)
    assert (await user.ask("GET", f"{DEPLOYMENTS}/{one['id']}")).body["status"] == "deleting"
    await worker.start()
    await user.until_gone(one["id"])


@pytest.mark.usefixtures("worker")
async def test_the_numbers_told_to_the_operator_are_those_of_the_tables(
    hoster: Hoster, user: User, hello_id: str, forget_after: Any
) -> None:
    one, two = [await _deployed(user, hello_id, name) for name in ("one", "two")]
    await user.ask("DELETE", f"{DEPLOYMENTS}/{one['id']}")
    await user.until_gone(one["id"])
    draft = await _written(user)
    await user.ask("POST", f"/api/v1/templates/{draft}/publish")
    await user.ask("POST", f"/api/v1/templates/{draft}/unpublish")

    async def check(deployments: dict[str, int], drafts: dict[str, int]) -> None:
        stats = (await user.ask("GET", "/stats")).body
        assert stats["deployments"] == deployments
        assert {state: n for state, n in stats["templates"].items() if state == "draft"} == drafts
        for what, state in (("deployments", "status"), ("jobs", "status"), ("billing_events", "event_type")):
            rows = await hoster.app[DATABASE].fetch_all(
                f"SELECT {state} AS state, count(*) AS n FROM {what} GROUP BY 1"  # noqa: S608 - names from above
            )
            assert stats[what] == {row["state"]: row["n"] for row in rows}
        assert stats["users"] == {"known": 1}

    await check({"running": 1, "deleted": 1}, {"draft": 1})
    await user.ask("DELETE", f"/api/v1/templates/{draft}")
    await forget_after(HISTORY_S + 60)
    await check({"running": 1}, {})
    assert (await user.ask("GET", f"{DEPLOYMENTS}/{two['id']}")).status == 200


async def test_an_answer_is_given_again_for_a_day_and_not_after_even_while_it_is_still_there(
    hoster: Hoster,
) -> None:
    database, clock, vault = hoster.app[DATABASE], LaterClock(), Vault(b"k" * 32)
    async with database.transaction() as connection:
        await connection.execute("INSERT INTO users VALUES ('u', 'o', 'p', 1)")
    store = IdempotencyStore(database, vault, clock, "owner")
    asked = Asked(user_id="u", key="k", method="POST", path="/p", digest="d", request_id="r")
    assert await store.claim(asked) == Claimed()
    await store.keep(asked, Stored(202, {}, "first"))

    clock.by_s = KEPT_S - 60
    assert await store.claim(asked) == Stored(202, {}, "first")
    clock.by_s = KEPT_S + 60
    assert await store.claim(asked) == Claimed()


async def test_releases_that_all_fail_do_not_pile_up_and_the_one_that_serves_stays(
    user: User, worker: FakeWorker, hello_id: str
) -> None:
    one = await _deployed(user, hello_id, "serves")
    at = f"{DEPLOYMENTS}/{one['id']}"
    worker.fail_deploys_with = "no such image"
    for _ in range(RELEASES_KEPT + 2):
        assert (await user.ask("POST", f"{at}/redeploy")).status == 202
        await user.until(one["id"], "running")

    listed = (await user.ask("GET", f"{at}/releases")).body
    assert listed["total"] == RELEASES_KEPT + 1, "the newest, and the one that serves"
    assert listed["items"][-1]["id"] == one["release_id"]


@pytest.mark.usefixtures("worker")
async def test_of_the_events_of_a_deployment_the_newest_are_kept(
    hoster: Hoster, user: User, hello_id: str
) -> None:
    one = await _deployed(user, hello_id, "noisy")
    await hoster.app[DEPLOYMENT_STORE].tell(
        one["id"],
        [
            Happening(type="drift", message=str(n), origin=f"o{n}", at=float(n))
            for n in range(EVENTS_KEPT + 50)
        ],
    )

    events = await hoster.app[DEPLOYMENT_STORE].events(one["id"], None, EVENTS_KEPT * 2)
    assert len(events) == EVENTS_KEPT
    assert (events[0].message, events[-1].message) == (str(EVENTS_KEPT + 49), "50")


async def test_orders_are_taken_while_much_is_forgotten(tmp_path: Any) -> None:
    database = await Database.open(tmp_path / "hoster.db", MIGRATIONS)
    try:
        async with database.transaction() as connection:
            await connection.execute("INSERT INTO users VALUES ('u', 'o', 'p', 1)")
            await connection.executemany(
                "INSERT INTO deployments (id, user_id, org_id, name, project_id, source, visibility, status, required_capabilities,"
                " cpu_millis, memory_mb, disk_mb, created_at, updated_at)"
                " VALUES (?, 'u', 'o', 'n', ?, '{}', 'public', 'deleted', '[]', 1, 1, 1, 1, 1)",
                ((f"d{n}", f"p{n}") for n in range(3000)),
            )
        forgetting = asyncio.create_task(Retention(database, LaterClock(), HISTORY_S).enforce())
        turns = 0
        while not forgetting.done():
            async with database.transaction() as connection:
                await connection.execute("UPDATE users SET plan_id = 'q' WHERE id = 'u'")
            turns += 1
            await asyncio.sleep(0)

        assert (await forgetting)["deployments"] == 3000
        assert turns > 10, "an order has its turn between the batches"
    finally:
        await database.close()
