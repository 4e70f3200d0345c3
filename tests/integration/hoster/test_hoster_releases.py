"""Changing what is deployed: pending changes, redeploy, releases, rollback. None of it is billed."""

from typing import Any

import pytest

from tests.fakes.hoster_project import FakeProject
from tests.fakes.hoster_worker import FakeWorker
from tests.integration.hoster.conftest import User

DEPLOYMENTS = "/api/v1/deployments"
TEMPLATE: dict[str, Any] = {
    "name": "Shop",
    "compose": """
services:
  web:
    image: shop:1
    expose: [80]
    environment: {TITLE: "${TITLE}", PASSWORD: "${PASSWORD}"}
    healthcheck: {x-path: /}
    depends_on: {db: {condition: service_healthy}}
    x-web: true
  db:
    image: db:1
    environment: {PASSWORD: "${PASSWORD}"}
    volumes: ["data:/var/lib/db"]
    healthcheck: {test: [CMD, ready]}
""",
    "variables": [{"name": "TITLE", "default": "one"}, {"name": "PASSWORD", "type": "password"}],
    "resources": {"cpu_cores": 1, "memory_mb": 512, "disk_mb": 512},
}


async def _running(user: User) -> dict:
    template = await user.ask("POST", "/api/v1/templates", TEMPLATE)
    assert template.status == 201, template.body
    body = {"name": "shop", "template_id": template.body["id"], "variables": {"PASSWORD": "s3cret"}}
    created = await user.ask("POST", DEPLOYMENTS, body)
    assert created.status == 202, created.body
    return await user.until(created.body["id"], "running")


def _project(worker: FakeWorker) -> FakeProject:
    [project] = worker.projects.values()
    return project


async def _releases(user: User, one: str) -> list[dict]:
    return (await user.ask("GET", f"{one}/releases")).body["items"]


async def _billed(user: User) -> int:
    return (await user.ask("GET", "/api/v1/billing/events")).body["total"]


async def test_a_change_waits_for_the_redeploy_and_a_rollback_brings_back_revision_variables_and_images(
    user: User, worker: FakeWorker
) -> None:
    worker.digests = {"shop:1": "shop@sha256:" + "1" * 64}
    first = await _running(user)
    one, project = f"{DEPLOYMENTS}/{first['id']}", _project(worker)
    assert (first["pending_changes"], project.environment("db")) == ([], {"PASSWORD": "s3cret"})
    template = f"/api/v1/templates/{first['template_id']}"
    newer = await user.ask("PATCH", template, {"compose": TEMPLATE["compose"].replace("shop:1", "shop:2")})
    assert newer.body["revision"] == 2

    change = {
        "variables": {"TITLE": "two", "PASSWORD": "n3w"},
        "template_revision": 2,
        "visibility": "private",
    }
    changed = (await user.ask("PATCH", one, change)).body
    assert changed["pending_changes"] == [
        "template_revision", "variables.PASSWORD", "variables.TITLE", "visibility",
    ]  # fmt: skip
    assert (changed["variables"], changed["status"]) == ({"TITLE": "two", "PASSWORD": "***"}, "running")
    assert (project.environment()["TITLE"], project.visibility) == ("one", "public")

    redeploying = await user.ask("POST", f"{one}/redeploy")
    assert (redeploying.status, redeploying.body["status"]) == (202, "starting")
    assert "X-Event-Type" not in redeploying.headers
    second = await user.until(first["id"], "running")
    assert second["pending_changes"] == []
    assert second["release_id"] != first["release_id"]
    assert (project.services()["web"]["image"], project.visibility) == ("shop:2", "private")
    assert project.environment() == {"TITLE": "two", "PASSWORD": "n3w"}

    items = await _releases(user, one)
    assert [(item["id"], item["current"], item["template_revision"]) for item in items] == [
        (second["release_id"], True, 2), (first["release_id"], False, 1),
    ]  # fmt: skip
    assert items[1]["variables"] == {"TITLE": "one", "PASSWORD": "***"}
    assert items[1]["images"][0] == {"service": "web", "image": "shop:1", "digest": worker.digests["shop:1"]}

    rolled = await user.ask("POST", f"{one}/rollback", {"release_id": first["release_id"]})
    assert (rolled.status, "X-Event-Type" in rolled.headers) == (202, False)
    third = await user.until(first["id"], "running")
    assert (third["template_revision"], third["variables"]["TITLE"], third["visibility"]) == (
        1,
        "one",
        "private",
    )
    assert third["pending_changes"] == []
    assert project.deploys["deploy-3"]["body"] == {"release": "deploy-1"}
    assert project.environment("db") == {"PASSWORD": "s3cret"}
    assert (await _releases(user, one))[0]["restores"] == first["release_id"]
    assert await _billed(user) == 1


async def test_a_release_that_the_node_has_forgotten_is_rebuilt_from_its_record_with_the_same_images(
    user: User, worker: FakeWorker
) -> None:
    worker.digests = {"shop:1": "shop@sha256:" + "1" * 64}
    first = await _running(user)
    one, project = f"{DEPLOYMENTS}/{first['id']}", _project(worker)
    await user.ask("PATCH", one, {"variables": {"PASSWORD": "n3w"}})
    await user.ask("POST", f"{one}/redeploy")
    await user.until(first["id"], "running")
    project.active.remove("deploy-1")

    await user.ask("POST", f"{one}/rollback", {"release_id": first["release_id"]})
    await user.until(first["id"], "running")
    assert project.services()["web"]["image"] == worker.digests["shop:1"]
    assert project.environment() == {"TITLE": "one", "PASSWORD": "s3cret"}


@pytest.mark.parametrize("order", ["redeploy", "rollback"])
async def test_one_that_fails_leaves_what_ran_before_and_says_why(
    user: User, worker: FakeWorker, order: str
) -> None:
    first = await _running(user)
    one = f"{DEPLOYMENTS}/{first['id']}"
    await user.ask("PATCH", one, {"variables": {"TITLE": "two"}})
    await user.ask("POST", f"{one}/redeploy")
    second = await user.until(first["id"], "running")
    worker.fail_deploys_with = "the health check answered 500"
    body = {"release_id": first["release_id"]} if order == "rollback" else None
    assert (await user.ask("POST", f"{one}/{order}", body)).status == 202

    after = await user.until(first["id"], "running")
    assert "the health check answered 500" in after["status_reason"]
    assert (after["release_id"], after["variables"]) == (second["release_id"], second["variables"])
    assert (after["pending_changes"], after["started_at"]) == ([], second["started_at"])
    assert _project(worker).environment()["TITLE"] == "two"
    failed = (await _releases(user, one))[0]
    assert (failed["status"], failed["reason"]) == ("failed", after["status_reason"])
    told = await user.ask("GET", f"{one}/monitoring/events?type=redeploy_failed")
    assert any(event["type"] == "redeploy_failed" for event in told.body["items"])
    refused = await user.ask("POST", f"{one}/rollback", {"release_id": failed["id"]})
    assert [fault["field"] for fault in refused.body["errors"]] == ["release_id"]
    assert await _billed(user) == 1


async def test_a_redeploy_waits_for_its_node_and_never_says_what_it_does_not_know(
    user: User, worker: FakeWorker
) -> None:
    first = await _running(user)
    one = f"{DEPLOYMENTS}/{first['id']}"
    await worker.stop()
    assert (await user.ask("POST", f"{one}/redeploy")).status == 202
    await user.until_told_of_silence(first["id"])
    waiting = (await user.ask("GET", one)).body
    assert waiting["status"] == "starting"
    assert "cannot be reached" in waiting["status_reason"]

    await worker.start()
    again = await user.until(first["id"], "running")
    assert again["release_id"] != first["release_id"]
    assert len(_project(worker).deploys) == 2


async def test_a_start_takes_the_changes_with_it_and_is_billed_as_the_start_that_it_is(
    user: User, worker: FakeWorker
) -> None:
    first = await _running(user)
    one = f"{DEPLOYMENTS}/{first['id']}"
    await user.ask("POST", f"{one}/stop")
    await user.until(first["id"], "stopped")
    refused = await user.ask("POST", f"{one}/redeploy")
    assert (refused.status, refused.body["code"]) == (409, "invalid_transition")
    await user.ask("PATCH", one, {"variables": {"TITLE": None, "PASSWORD": "***"}})
    assert (await user.ask("GET", one)).body["pending_changes"] == []
    await user.ask("PATCH", one, {"variables": {"TITLE": "two"}})
    await user.ask("POST", f"{one}/start")

    running = await user.until(first["id"], "running")
    assert running["pending_changes"] == []
    assert _project(worker).environment() == {"TITLE": "two", "PASSWORD": "s3cret"}
    assert await _billed(user) == 3


async def test_an_app_that_keeps_crashing_after_a_change_can_be_rolled_back(
    user: User, worker: FakeWorker
) -> None:
    first = await _running(user)
    one, project = f"{DEPLOYMENTS}/{first['id']}", _project(worker)
    await user.ask("PATCH", one, {"variables": {"TITLE": "two"}})
    await user.ask("POST", f"{one}/redeploy")
    await user.until(first["id"], "running")
    project.status_reason, project.status = "restarted 5 times within 5 minutes", "crashed"
    await user.until(first["id"], "failed")

    await user.ask("POST", f"{one}/rollback", {"release_id": first["release_id"]})
    await user.until(first["id"], "running")
    assert project.environment()["TITLE"] == "one"


async def test_a_rollback_to_what_runs_forgets_what_waits(user: User, worker: FakeWorker) -> None:
    first = await _running(user)
    one = f"{DEPLOYMENTS}/{first['id']}"
    await user.ask("PATCH", one, {"variables": {"TITLE": "two"}})
    rolled = await user.ask("POST", f"{one}/rollback", {"release_id": first["release_id"]})

    assert (rolled.status, rolled.body["pending_changes"]) == (200, [])
    assert rolled.body["variables"]["TITLE"] == "one"
    assert len(_project(worker).deploys) == 1


@pytest.mark.parametrize("order", ["rollback", "redeploy", "restart"])
async def test_what_a_deployment_says_of_itself_is_how_its_newest_order_went(
    user: User, worker: FakeWorker, order: str
) -> None:
    first = await _running(user)
    one = f"{DEPLOYMENTS}/{first['id']}"
    worker.fail_deploys_with = "the health check answered 500"
    await user.ask("PATCH", one, {"variables": {"TITLE": "two"}})
    await user.ask("POST", f"{one}/redeploy")
    assert (await user.until(first["id"], "running"))["status_reason"] is not None

    worker.fail_deploys_with = None
    body = {"release_id": first["release_id"]} if order == "rollback" else None
    assert (await user.ask("POST", f"{one}/{order}", body)).status in {200, 202}
    assert (await user.until(first["id"], "running"))["status_reason"] is None


async def test_wrong_changes_are_refused_by_name_and_change_nothing(
    user: User, stranger: User, worker: FakeWorker
) -> None:
    first = await _running(user)
    one = f"{DEPLOYMENTS}/{first['id']}"
    for body, field in (
        ({"variables": {"NOPE": "1"}}, "variables.NOPE"),
        ({"variables": {"TITLE": 5}}, "variables.TITLE"),
        ({"template_revision": 2}, "template_revision"),
        ({"node_id": "node_1"}, "node_id"),
        ({"visibility": "hidden"}, "visibility"),
    ):
        refused = await user.ask("PATCH", one, {"name": "other", **body})
        assert (refused.status, [fault["field"] for fault in refused.body["errors"]]) == (422, [field])
    assert (await user.ask("GET", one)).body == first
    for method, target, body in (
        ("PATCH", one, {"name": "mine"}),
        ("POST", f"{one}/redeploy", None),
        ("POST", f"{one}/rollback", {"release_id": first["release_id"]}),
        ("GET", f"{one}/releases", None),
        ("GET", f"{one}/deploys", None),
        ("GET", f"{one}/deploys/deploy-1", None),
    ):
        assert (await stranger.ask(method, target, body)).status == 404
    assert len(_project(worker).deploys) == 1


async def test_the_nodes_record_of_a_deploy_can_be_read(user: User, worker: FakeWorker) -> None:
    first = await _running(user)
    one = f"{DEPLOYMENTS}/{first['id']}"
    [deploy] = (await user.ask("GET", f"{one}/deploys")).body["items"]
    assert deploy["reason"] is None
    assert (deploy["deploy_id"], deploy["status"]) == ("deploy-1", "active")
    shown = (await user.ask("GET", f"{one}/deploys/deploy-1")).body
    assert shown["steps"][0]["detail"] == "image is here"
    for unknown in ("deploy-9", "..%2F..%2Fx"):
        missing = await user.ask("GET", f"{one}/deploys/{unknown}")
        assert (missing.status, missing.body["code"]) == (404, "deploy_not_found")


async def test_what_has_changed_since_it_was_read_is_neither_changed_nor_deleted(
    user: User, worker: FakeWorker
) -> None:
    first = await _running(user)
    one = f"{DEPLOYMENTS}/{first['id']}"

    async def ask(method: str, body: object = None, under: str = "", **conditions: str) -> Any:
        user.sent += 1
        named = {name.replace("_", "-"): value for name, value in conditions.items()}
        headers = {**user.headers(method, one + under, f"conditional-{user.sent}"), **named}
        return await user.ask(method, one + under, body, headers=headers)

    read = await ask("GET")
    tag = read.headers["ETag"]
    unchanged = await ask("GET", If_None_Match=f'"x", W/{tag}')
    assert (unchanged.status, unchanged.raw, unchanged.headers["ETag"]) == (304, b"", tag)
    changed = await ask("PATCH", {"name": "new"}, If_Match=tag)
    assert (changed.status, changed.headers["ETag"] != tag) == (200, True)
    for method, body in (("PATCH", {"name": "newer"}), ("PATCH", {"name": "new"}), ("DELETE", None)):
        refused = await ask(method, body, If_Match=tag)
        assert (refused.status, refused.body["code"]) == (412, "precondition_failed")
    for order in ("/start", "/stop", "/restart", "/redeploy", "/rollback"):
        body = {"release_id": first["release_id"]} if order == "/rollback" else None
        refused = await ask("POST", body, order, If_Match=tag)
        assert (refused.status, refused.body["code"]) == (412, "precondition_failed"), order
    as_it_is = await ask("GET", If_None_Match=tag)
    assert (as_it_is.body["name"], as_it_is.body["status"]) == ("new", "running")
    assert (await ask("POST", under="/start", If_Match=f'"x", {as_it_is.headers["ETag"]}')).status == 200
    assert await _billed(user) == 1
    assert (await ask("DELETE", If_Match=changed.headers["ETag"])).status == 202


@pytest.mark.usefixtures("worker")
async def test_a_change_that_changes_nothing_leaves_the_moment_and_the_tag(user: User) -> None:
    first = await _running(user)
    one = f"{DEPLOYMENTS}/{first['id']}"
    await user.ask("PATCH", one, {"variables": {"TITLE": "1"}})
    read = await user.ask("GET", one)

    for body in (
        None,
        {},
        {"name": first["name"], "visibility": "public", "template_revision": first["template_revision"]},
        {"variables": {}},
        {"variables": {"TITLE": "1", "PASSWORD": "***"}},
        {"variables": {"PASSWORD": "s3cret"}},
    ):
        same = await user.ask("PATCH", one, body)
        assert (same.status, same.body) == (200, read.body), body
        assert same.headers["ETag"] == read.headers["ETag"]
    rolled = await user.ask("POST", f"{one}/rollback", {"release_id": first["release_id"]})
    assert (rolled.status, rolled.body["pending_changes"]) == (200, [])
    forgotten = rolled.headers["ETag"]
    rolled = await user.ask("POST", f"{one}/rollback", {"release_id": first["release_id"]})
    assert (rolled.status, rolled.headers["ETag"]) == (200, forgotten)
    for body in ({"variables": {"PASSWORD": "other"}}, {"variables": {"PASSWORD": "another"}}):
        changed = await user.ask("PATCH", one, body)
        assert changed.headers["ETag"] != read.headers["ETag"]
        read = changed
