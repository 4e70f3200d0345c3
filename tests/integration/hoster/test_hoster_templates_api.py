from typing import Any

import pytest

from hoster import status_api
from hoster.deployments.transitions import State
from hoster.templates.api import TEMPLATE_STORE
from hoster.templates.document import read_document
from tests.fakes.hoster_worker import FakeWorker
from tests.integration.hoster.conftest import Hoster, User

TEMPLATES = "/api/v1/templates"
DEPLOYMENTS = "/api/v1/deployments"
COMPOSE = """
services:
  web:
    image: localhost/hello:1
    ports: [8080]
    command: run --greeting ${GREETING}
    environment: {PASSWORD: "${PASSWORD}", URL: "${APP_URL}", HOST: "${APP_HOST}"}
    healthcheck: {x-path: /healthz}
"""
BODY: dict[str, Any] = {
    "name": "My 100% Template",
    "description": "says things",
    "category": "tools",
    "compose": COMPOSE,
    "variables": [
        {"name": "GREETING", "type": "select", "options": ["hi", "hello there"], "default": "hi"},
        {"name": "PASSWORD", "type": "password", "required": True},
    ],
    "resources": {"cpu_cores": 0.5, "memory_mb": 128, "disk_mb": 64},
}


async def test_the_shipped_templates_are_everyones_and_nobody_elses(user: User) -> None:
    found = (await user.ask("GET", f"{TEMPLATES}?q=HELLO&category=examples")).body
    assert [template["slug"] for template in found["items"]] == ["hello"]
    assert found["items"][0]["resources"] == {"cpu_cores": 0.25, "memory_mb": 64, "disk_mb": 64}
    assert (await user.ask("GET", f"{TEMPLATES}?q=%25")).body["total"] == 0
    assert (await user.ask("GET", f"{TEMPLATES}?category=nope")).body["total"] == 0

    one = f"{TEMPLATES}/{found['items'][0]['id']}"
    assert (await user.ask("GET", one)).body == found["items"][0]
    for method, target in (("PATCH", one), ("DELETE", one), ("POST", one + "/unpublish")):
        assert (await user.ask(method, target, {})).status == 404


async def test_a_draft_is_its_authors_alone_until_it_is_published(user: User, stranger: User) -> None:
    written = await user.ask("POST", TEMPLATES, BODY)
    assert (written.status, written.body["published"], written.body["revision"]) == (201, False, 1)
    one = written.headers["Location"]
    for method, target in (("GET", one), ("PATCH", one), ("DELETE", one), ("POST", f"{one}/publish")):
        assert (await stranger.ask(method, target, {})).status == 404
    assert (await stranger.ask("GET", f"{TEMPLATES}?q=100%25")).body["total"] == 0
    used = await stranger.ask("POST", "/api/v1/deployments", {"name": "x", "template_id": written.body["id"]})
    assert [fault["field"] for fault in used.body["errors"]] == ["template_id"]

    assert (await user.ask("POST", f"{one}/publish")).body["published"] is True
    assert (await stranger.ask("GET", f"{TEMPLATES}?q=100%25")).body["total"] == 1
    assert (await stranger.ask("PATCH", one, {"description": "mine now"})).status == 404
    assert (await user.ask("POST", f"{one}/unpublish")).body["published"] is False
    assert (await stranger.ask("GET", one)).status == 404
    assert (await user.ask("DELETE", one)).status == 204
    assert (await user.ask("GET", one)).status == 404


async def test_a_deployment_keeps_the_revision_it_was_made_from(user: User, worker: FakeWorker) -> None:
    template = (await user.ask("POST", TEMPLATES, BODY)).body
    created = await user.ask(
        "POST",
        "/api/v1/deployments",
        {
            "name": "x",
            "template_id": template["id"],
            "variables": {"GREETING": "hello there"},
            "start": False,
        },
    )
    assert (created.body["template_revision"], created.body["variables"]["PASSWORD"]) == (1, "***")
    revised = await user.ask(
        "PATCH", f"{TEMPLATES}/{template['id']}", {"compose": COMPOSE.replace("hello:1", "hello:2")}
    )
    assert revised.body["revision"] == 2
    assert (await user.ask("DELETE", f"{TEMPLATES}/{template['id']}")).status == 204

    await user.ask("POST", f"/api/v1/deployments/{created.body['id']}/start")
    running = await user.until(created.body["id"], State.RUNNING.value)
    project = next(iter(worker.projects.values()))
    deployed = project.services()["web"]
    assert deployed["image"] == "localhost/hello:1"
    assert deployed["command"] == ["run", "--greeting", "hello there"]
    assert len(project.environment()["PASSWORD"]) >= 24
    assert running["variables"]["PASSWORD"] == "***"
    where = (project.environment()["URL"], project.environment()["HOST"])
    assert where == (running["url"], running["hosts"][0])


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"compose": COMPOSE + "    privileged: true\n"}, "compose.services.web.privileged"),
        ({"compose": COMPOSE + "    volumes: ['/:/host']\n"}, "compose.services.web.volumes"),
        ({"compose": COMPOSE.replace("${GREETING}", "${NOPE}")}, "compose.services.web.command"),
        ({"compose": COMPOSE.replace("${GREETING}", "${GREETING:-x}")}, "compose.services.web.command"),
        ({"name": " \t "}, "name"),
        ({"name": "two\nlines"}, "name"),
        ({"author_id": "user_b"}, "author_id"),
        ({"published": True}, "published"),
        ({"resources": {"cpu_cores": -1, "memory_mb": 128, "disk_mb": 64}}, "resources.cpu_cores"),
    ],
)
async def test_what_a_template_may_not_say_is_refused_by_name(
    user: User, change: dict[str, Any], field: str
) -> None:
    refused = await user.ask("POST", TEMPLATES, {**BODY, **change})
    assert (refused.status, [fault["field"] for fault in refused.body["errors"]]) == (422, [field])

    template = (await user.ask("POST", TEMPLATES, BODY)).body
    refused = await user.ask("PATCH", f"{TEMPLATES}/{template['id']}", change)
    assert refused.status == 422
    assert (await user.ask("GET", f"{TEMPLATES}/{template['id']}")).body == template


async def test_a_template_that_has_changed_since_it_was_read_is_not_overwritten(user: User) -> None:
    one = (await user.ask("POST", TEMPLATES, BODY)).headers["Location"]
    tag = (await user.ask("GET", one)).headers["ETag"]

    async def ask(method: str, number: int, name: str, body: object = None, under: str = "") -> Any:
        headers = {**user.headers(method, one + under, f"conditional-{number}"), name: tag}
        return await user.ask(method, one + under, body, headers=headers)

    assert (await ask("GET", 1, "If-None-Match")).status == 304
    assert (await ask("PATCH", 2, "If-Match", {"description": "mine"})).body["revision"] == 2
    late = await ask("PATCH", 3, "If-Match", {"description": "also mine"})
    assert (late.status, late.body["code"]) == (412, "precondition_failed")
    assert (await ask("DELETE", 4, "If-Match")).status == 412
    assert (await ask("POST", 5, "If-Match", under="/publish")).status == 412
    shown = (await user.ask("GET", one)).body
    assert (shown["revision"], shown["description"], shown["published"]) == (2, "mine", False)


async def test_a_template_is_found_by_what_its_newest_revision_says_in_any_case(user: User) -> None:
    one = (await user.ask("POST", TEMPLATES, {**BODY, "name": "ÄRZTE Blog", "tags": ["praxis"]})).headers[
        "Location"
    ]

    async def found(query: str) -> list[str]:
        return [item["name"] for item in (await user.ask("GET", f"{TEMPLATES}?{query}")).body["items"]]

    for query in ("q=%C3%A4rzte", "q=%C3%84RZTE", "q=+praxis+", "q=blog&category=tools"):
        assert await found(query) == ["ÄRZTE Blog"], query
    assert await found("q=blog&category=other") == []
    await user.ask("PATCH", one, {"name": "Clinic", "category": "other"})
    assert await found("q=%C3%A4rzte") == []
    assert await found("q=clinic&category=other") == ["Clinic"]


async def test_a_new_shipped_template_takes_the_slug_and_leaves_a_customers_template_alone(
    user: User, hoster: Hoster
) -> None:
    mine = (await user.ask("POST", TEMPLATES, {**BODY, "name": "Brand New"})).body
    assert mine["slug"] == "brand-new"
    shipped = read_document({**BODY, "name": "Brand New", "description": "from the platform"})
    store = hoster.app[TEMPLATE_STORE]
    await store.ship({"brand-new": shipped})
    await store.ship({"brand-new": shipped})

    found = (await user.ask("GET", f"{TEMPLATES}?q=brand+new")).body["items"]
    assert [(one["slug"], one["author_id"], one["revision"]) for one in found[:1]] == [("brand-new", None, 1)]
    kept = (await user.ask("GET", f"{TEMPLATES}/{mine['id']}")).body
    assert (kept["description"], kept["revision"]) == (mine["description"], 1)
    assert kept["slug"].startswith("brand-new-")


async def test_what_is_not_permitted_any_more_is_refused_by_name_at_every_order(
    user: User, worker: FakeWorker, hoster: Hoster
) -> None:
    """As after an upgrade of the platform that forbids something: the revision is in the database already."""
    template = (await user.ask("POST", TEMPLATES, BODY)).body
    body = {"name": "x", "template_id": template["id"]}
    waiting = (await user.ask("POST", DEPLOYMENTS, {**body, "start": False})).body["id"]
    running = (await user.ask("POST", DEPLOYMENTS, body)).body["id"]
    first = (await user.until(running, "running"))["release_id"]
    await user.ask("POST", f"{DEPLOYMENTS}/{running}/redeploy")
    await user.until(running, "running")
    database = hoster.app[status_api.DATABASE]
    async with database.transaction() as connection:
        await connection.execute(
            "UPDATE template_revisions SET document = json_set(document, '$.compose', ?) WHERE template_id = ?",
            (COMPOSE + "    privileged: true\n", template["id"]),
        )

    one = f"{DEPLOYMENTS}/{running}"
    for method, target, order in (
        ("POST", DEPLOYMENTS, body),
        ("POST", f"{DEPLOYMENTS}/{waiting}/start", None),
        ("POST", f"{one}/redeploy", None),
        ("POST", f"{one}/rollback", {"release_id": first}),
        ("PATCH", one, {"variables": {"GREETING": "hi"}}),
        ("PATCH", f"{TEMPLATES}/{template['id']}", {"description": "new"}),
    ):
        refused = await user.ask(method, target, order)
        assert refused.status == 422, (method, target, refused.body)
        assert [fault["field"] for fault in refused.body["errors"]] == ["compose.services.web.privileged"]
    assert (await user.ask("GET", one)).body["status"] == "running"
    assert (await user.ask("POST", f"{one}/restart")).status == 202, "what runs already is not deployed"
    await user.until(running, "running")
    assert (await user.ask("GET", "/api/v1/billing/events")).body["total"] == 2
    assert sum(len(project.deploys) for project in worker.projects.values()) == 2


async def test_a_hidden_default_that_is_sent_back_stays_what_it_was(user: User, worker: FakeWorker) -> None:
    variables = [BODY["variables"][0], {"name": "PASSWORD", "type": "password", "default": "from the author"}]
    template = (await user.ask("POST", TEMPLATES, {**BODY, "variables": variables})).body
    assert template["variables"][1]["default"] == "***"
    target = f"{TEMPLATES}/{template['id']}"
    for _ in range(2):  # and what changes nothing makes no revision
        shown = {"variables": template["variables"], "version": "2.0.0"}
        assert (await user.ask("PATCH", target, shown)).body["revision"] == 2

    created = await user.ask("POST", DEPLOYMENTS, {"name": "x", "template_id": template["id"]})
    await user.until(created.body["id"], "running")
    assert next(iter(worker.projects.values())).environment()["PASSWORD"] == "from the author"


@pytest.mark.parametrize("compose", ["{" * 60_000, "a: 2001-99-99", "a: 0x" + "f" * 60_000])
async def test_a_compose_file_made_to_hurt_is_refused_like_any_other(user: User, compose: str) -> None:
    refused = await user.ask("POST", TEMPLATES, {**BODY, "compose": compose})
    assert (refused.status, refused.body["errors"][0]["field"]) == (422, "compose")
