import asyncio
import json
from typing import Any

import aiohttp
import pytest

from tests.fakes.hoster_worker import FakeWorker
from tests.integration.hoster.conftest import Hoster, User, beat, eventually, rewrite

EVENT = "X-Event-Type"
DEPLOYMENTS = "/api/v1/deployments"


async def _event_types(user: User) -> Any:
    events = await user.ask("GET", "/api/v1/billing/events")
    return [event["event_type"] for event in events.body["items"]]


async def test_the_whole_life_of_a_deployment_makes_exactly_four_events(
    user: User, worker: FakeWorker, hello_id: str
) -> None:
    created = await user.create(hello_id, variables={"MESSAGE": 'a "quoted" ${MESSAGE} line\r\n'})
    assert created.status == 202, created.body
    assert created.headers[EVENT] == "deployment.created"
    one = f"{DEPLOYMENTS}/{created.body['id']}"
    assert created.headers["Location"] == one
    assert created.body["status"] == "scheduled"

    running = await user.until(created.body["id"], "running")
    project = next(iter(worker.projects.values()))
    assert project.environment() == {"MESSAGE": 'a "quoted" ${MESSAGE} line\r\n'}
    assert running["variables"] == project.environment()
    assert project.org_id == "org_a"
    assert project.visibility == "public"
    assert running["hosts"] == [
        f"{project.project_id}.apps.localhost",
        f"{project.project_id}.zexio.internal",
    ]
    assert running["url"] == f"http://{project.project_id}.apps.localhost:8090/"
    assert running["release_id"].startswith("rel_")
    assert running["started_at"] is not None
    assert running["status_reason"] is None

    again = await user.ask("POST", f"{one}/start")
    assert (again.status, again.headers.get(EVENT)) == (200, None)
    stopping = await user.ask("POST", f"{one}/stop")
    assert (stopping.status, stopping.headers[EVENT]) == (202, "deployment.stopped")
    stopped = await user.until(created.body["id"], "stopped")
    assert stopped["stopped_at"] is not None
    again = await user.ask("POST", f"{one}/stop")
    assert (again.status, again.headers.get(EVENT)) == (200, None)

    starting = await user.ask("POST", f"{one}/start")
    assert (starting.status, starting.headers[EVENT]) == (202, "deployment.started")
    await user.until(created.body["id"], "running")
    assert len(project.deploys) == 1, "a start after a stop must not deploy again"

    deleting = await user.ask("DELETE", f"{one}?volumes=delete")
    assert (deleting.status, deleting.headers[EVENT]) == (202, "deployment.deleted")
    await user.until_gone(created.body["id"])
    assert worker.projects == {}
    assert ("DELETE", f"/projects/{project.project_id}?volumes=delete") in worker.calls
    assert await _event_types(user) == [
        "deployment.deleted", "deployment.started", "deployment.stopped", "deployment.created",
    ]  # fmt: skip
    assert (await user.ask("GET", DEPLOYMENTS)).body == {"items": [], "next_cursor": None, "total": 0}
    assert worker.refused_signatures == 0


async def test_an_image_can_be_deployed_without_a_template(user: User, worker: FakeWorker) -> None:
    created = await user.ask(
        "POST", DEPLOYMENTS,
        {"name": "img", "source": {"image": "localhost/x:1", "port": 80}, "variables": {"A": "1", "N": 2}, "start": False,
         "visibility": "private"},
    )  # fmt: skip
    assert created.status == 202, created.body
    assert (created.body["status"], created.body["node_id"]) == ("pending", None)
    assert worker.projects == {}

    started = await user.ask("POST", f"{DEPLOYMENTS}/{created.body['id']}/start")
    assert started.headers[EVENT] == "deployment.started"

    async def is_deploying() -> bool:
        return any(project.deploys for project in worker.projects.values())

    await eventually(is_deploying, 30)
    project = next(iter(worker.projects.values()))
    service = project.deploys["deploy-1"]["compose"]["services"]["web"]
    assert (service["image"], service["expose"], "healthcheck" in service) == ("localhost/x:1", ["80"], False)
    assert service["environment"] == {"A": "1", "N": "2"}
    assert project.visibility == "private"
    await user.until(created.body["id"], "running")


@pytest.mark.parametrize(
    "source", [{"image": "localhost/x:1"}, {"git": {"url": "https://git.example/x", "ref": "main"}}]
)
async def test_nobody_tells_an_app_to_listen_where_no_visitor_comes(user: User, source: Any) -> None:
    body = {"name": "x", "source": {**source, "port": 8080}, "start": False}
    for port in ("80", 80, "", True):
        refused = await user.ask("POST", DEPLOYMENTS, {**body, "variables": {"PORT": port}})
        assert refused.status == 422, refused.body
        [fault] = refused.body["errors"]
        assert fault["field"] == "variables.PORT"
        assert "8080" in fault["message"]
    made = await user.ask("POST", DEPLOYMENTS, {**body, "variables": {"PORT": "8080"}})
    assert made.status == 202, made.body
    one = f"{DEPLOYMENTS}/{made.body['id']}"
    assert (await user.ask("PATCH", one, {"variables": {"PORT": 80}})).status == 422
    changed = await user.ask("PATCH", one, {"variables": {"PORT": 8080, "A": "1"}})
    assert changed.body["variables"] == {"PORT": 8080, "A": "1"}
    assert (await user.ask("PATCH", one, {"variables": {"PORT": None}})).body["variables"] == {"A": "1"}


async def test_deployments_are_found_by_name_and_status_page_by_page(
    hoster: Hoster, user: User, stranger: User, hello_id: str
) -> None:
    made = {}
    for name in ("Shop one", "STRASSE", "shop 100% _two_", "Çay Shop", "blog"):
        made[name] = (await user.create(hello_id, name=name, start=False)).body["id"]
    await stranger.create(hello_id, name="shop of a stranger", start=False)
    await user.ask("PATCH", f"{DEPLOYMENTS}/{made['blog']}", {"name": "The old Shop"})
    await rewrite(hoster, "UPDATE deployments SET status = 'failed' WHERE id = ?", (made["Shop one"],))

    async def found(query: str) -> list[str]:
        answer = await user.ask("GET", f"{DEPLOYMENTS}?{query}")
        assert answer.status == 200, answer.body
        assert answer.body["total"] == len(answer.body["items"])
        return [item["name"] for item in answer.body["items"]]

    assert await found("q=SHOP") == ["The old Shop", "Çay Shop", "shop 100% _two_", "Shop one"]
    assert await found("q=stra%C3%9Fe") == ["STRASSE"]
    assert await found("q=%C3%87AY") == ["Çay Shop"]
    assert await found("q=%25") == await found("q=_two_") == ["shop 100% _two_"]
    assert await found("q=blog") == []
    assert await found("q=shop&status=failed") == await found("status=failed") == ["Shop one"]
    assert len(await found("q=+&status=")) == 5
    refused = await user.ask("GET", f"{DEPLOYMENTS}?status=deleted")
    assert [fault["field"] for fault in refused.body["errors"]] == ["status"]

    seen, cursor = [], ""
    while cursor is not None:
        page = (await user.ask("GET", f"{DEPLOYMENTS}?q=shop&limit=3&cursor={cursor}")).body
        assert page["total"] == 4
        seen += [item["name"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert seen == await found("q=shop")


@pytest.mark.usefixtures("worker")
async def test_the_same_request_id_performs_once_and_is_answered_from_the_record(
    user: User, stranger: User, hello_id: str
) -> None:
    body = {"name": "x", "template_id": hello_id}
    first, second = await asyncio.gather(
        *(user.ask("POST", DEPLOYMENTS, body, request_id="req-1") for _ in range(2))
    )

    assert (first.status, second.status) == (202, 202)
    assert first.body["id"] == second.body["id"]
    assert second.headers[EVENT] == "deployment.created"
    assert await _event_types(user) == ["deployment.created"]
    other_operation = await user.ask("POST", f"{DEPLOYMENTS}/{first.body['id']}/stop", request_id="req-1")
    assert (other_operation.status, other_operation.body["code"]) == (409, "request_id_reused")
    by_another = await stranger.ask("POST", DEPLOYMENTS, body, request_id="req-1")
    assert by_another.status == 409

    await user.until(first.body["id"], "running")
    one = f"{DEPLOYMENTS}/{first.body['id']}"
    await user.ask("DELETE", one, request_id="req-2")
    await user.until_gone(first.body["id"])
    replayed = await user.ask("DELETE", one, request_id="req-2")
    assert (replayed.status, replayed.headers[EVENT]) == (202, "deployment.deleted")
    assert (await user.ask("DELETE", one)).status == 404


@pytest.mark.usefixtures("worker")
async def test_an_illegal_order_is_a_conflict_and_writes_nothing(user: User, hello_id: str) -> None:
    created = await user.create(hello_id, start=False)
    stop = await user.ask("POST", f"{DEPLOYMENTS}/{created.body['id']}/stop")

    assert (stop.status, stop.body["code"]) == (409, "invalid_transition")
    assert EVENT not in stop.headers
    assert await _event_types(user) == ["deployment.created"]


@pytest.mark.usefixtures("worker")
async def test_fifty_creates_at_once_against_a_limit_of_five_make_exactly_five(
    user: User, hello_id: str
) -> None:
    user.limits = json.dumps(
        {"max_deployments": 5, "max_cpu_cores": 100, "max_memory_mb": 10**6, "max_disk_mb": 10**6}
    )
    answers = await asyncio.gather(*(user.create(hello_id) for _ in range(50)))

    assert sorted(answer.status for answer in answers) == [202] * 5 + [403] * 45
    refused = next(answer for answer in answers if answer.status == 403)
    assert refused.body["code"] == "plan_limit_reached"
    assert (refused.body["limit"], refused.body["used"], refused.body["max"]) == ("max_deployments", 5, 5)
    assert await _event_types(user) == ["deployment.created"] * 5
    assert (await user.ask("GET", "/api/v1/me")).body["usage"] == {
        "deployments": 5, "cpu_cores": 1.25, "memory_mb": 320, "disk_mb": 320,
    }  # fmt: skip


@pytest.mark.usefixtures("worker")
async def test_missing_plan_limits_are_the_free_plan_and_unreadable_ones_are_refused(
    user: User, hello_id: str
) -> None:
    user.limits = ""
    limits = (await user.ask("GET", "/api/v1/me")).body["limits"]
    assert limits["max_deployments"] == 1
    assert (await user.create(hello_id)).status == 202
    assert (await user.create(hello_id)).status == 403
    user.limits = "{nonsense"
    unreadable = await user.ask("GET", "/api/v1/me")
    assert (unreadable.status, unreadable.body["code"]) == (400, "plan_limits_unreadable")


async def test_a_failed_deploy_says_why_and_can_be_started_again(
    user: User, worker: FakeWorker, hello_id: str
) -> None:
    worker.fail_deploys_with = "health check /healthz answered 500"
    created = await user.create(hello_id)
    failed = await user.until(created.body["id"], "failed")
    assert failed["status_reason"] == "health check /healthz answered 500"
    waiting = await user.ask("GET", f"{DEPLOYMENTS}/{created.body['id']}/wait?status=running&timeout=5")
    assert (waiting.status, waiting.body["code"]) == (409, "unreachable_status")

    worker.fail_deploys_with = None
    await user.ask("POST", f"{DEPLOYMENTS}/{created.body['id']}/start")
    running = await user.until(created.body["id"], "running")
    assert running["status_reason"] is None


async def test_waiting_ends_as_not_yet_when_the_time_is_over(
    user: User, worker: FakeWorker, hello_id: str
) -> None:
    worker.deploy_s = 600
    created = await user.create(hello_id)
    answer = await user.ask("GET", f"{DEPLOYMENTS}/{created.body['id']}/wait?status=running&timeout=0")

    assert (answer.status, answer.body["code"]) == (408, "not_yet")


async def test_a_delete_while_it_is_starting_wins(user: User, worker: FakeWorker, hello_id: str) -> None:
    worker.deploy_s = 600
    created = await user.create(hello_id)
    await user.until(created.body["id"], "starting")
    deleting = await user.ask("DELETE", f"{DEPLOYMENTS}/{created.body['id']}")
    assert (deleting.status, deleting.body["status"]) == (202, "deleting")
    repeated = await user.ask("DELETE", f"{DEPLOYMENTS}/{created.body['id']}")
    assert repeated.status in {202, 404}
    assert EVENT not in repeated.headers

    await user.until_gone(created.body["id"])
    assert worker.projects == {}


async def test_what_never_ran_can_be_deleted(user: User, hello_id: str) -> None:
    created = await user.create(hello_id, start=False)
    await user.ask("DELETE", f"{DEPLOYMENTS}/{created.body['id']}")

    await user.until_gone(created.body["id"])


async def test_who_waits_for_the_end_is_told_of_it_whether_it_came_before_the_question_or_after(
    user: User, stranger: User, hello_id: str
) -> None:
    body = {"name": "x", "template_id": hello_id, "start": False}
    one = f"/api/v1/deployments/{(await user.ask('POST', '/api/v1/deployments', body)).body['id']}"
    await user.ask("DELETE", one)
    for _ in range(2):
        ended = await user.ask("GET", f"{one}/wait?status=deleted&timeout=20")
        assert (ended.status, ended.body["status"]) == (200, "deleted")
    assert (await stranger.ask("GET", f"{one}/wait?status=deleted")).status == 404
    for target in (one, f"{one}/wait", f"{one}/releases"):
        assert (await user.ask("GET", target)).status == 404


async def test_an_engine_that_is_down_is_said_at_once_and_nothing_is_recorded(
    hoster: Hoster, session: aiohttp.ClientSession, user: User, worker: FakeWorker, hello_id: str
) -> None:
    status, _ = await beat(hoster.base_url, session, worker, engine="unavailable")
    assert status == 200
    refused = await user.create(hello_id)
    assert (refused.status, refused.body["code"]) == (503, "engine_unavailable")
    assert await _event_types(user) == []
    assert (await user.ask("GET", DEPLOYMENTS)).body["total"] == 0

    await beat(hoster.base_url, session, worker)
    assert (await user.create(hello_id)).status == 202


@pytest.mark.usefixtures("worker")
async def test_without_room_the_reasons_are_counted(user: User) -> None:
    nowhere = await user.ask(
        "POST", DEPLOYMENTS, {"name": "x", "source": {"image": "x", "port": 1}, "region": "the moon"}
    )

    assert (nowhere.status, nowhere.body["code"]) == (409, "no_node_available")
    assert nowhere.body["reasons"] == {"region": 1}


@pytest.mark.usefixtures("worker")
async def test_wrong_fields_are_all_named(user: User, hello_id: str) -> None:
    wrong = await user.ask(
        "POST",
        DEPLOYMENTS,
        {"name": "", "template_id": "hello", "status": "running", "variables": {"A": [1]}},
    )
    assert wrong.status == 422
    assert wrong.body["code"] == "validation_failed"
    fields = sorted(fault["field"] for fault in wrong.body["errors"])
    assert fields == ["name", "status", "variables.A"]
    for an_id in ("sha256:" + "0" * 64, "0" * 64, "3f9c"):
        nameless = await user.ask("POST", DEPLOYMENTS, {"name": "x", "source": {"image": an_id, "port": 80}})
        assert [fault["field"] for fault in nameless.body["errors"]] == ["source.image"]
    slug_only = await user.create("hello")
    assert [fault["field"] for fault in slug_only.body["errors"]] == ["template_id"]
    unknown_variable = await user.create(hello_id, variables={"NOPE": "1"})
    assert [fault["field"] for fault in unknown_variable.body["errors"]] == ["variables.NOPE"]
    unknown_node = await user.create(hello_id, node_id="node_nope")
    assert [fault["field"] for fault in unknown_node.body["errors"]] == ["node_id"]
    malformed = await user.ask_raw(
        "PATCH", f"{DEPLOYMENTS}/x", None, user.headers("PATCH", f"{DEPLOYMENTS}/x", "r-1")
    )
    assert malformed.status == 404
    assert await _event_types(user) == []


async def test_lists_are_newest_first_with_a_cursor_and_the_true_total(user: User, hello_id: str) -> None:
    for number in range(5):
        await user.create(hello_id, name=f"app {number}", start=False)
    first = (await user.ask("GET", f"{DEPLOYMENTS}?limit=2")).body
    second = (await user.ask("GET", f"{DEPLOYMENTS}?limit=2&cursor={first['next_cursor']}")).body
    third = (await user.ask("GET", f"{DEPLOYMENTS}?limit=2&cursor={second['next_cursor']}")).body

    names = [item["name"] for page in (first, second, third) for item in page["items"]]
    assert names == ["app 4", "app 3", "app 2", "app 1", "app 0"]
    assert (first["total"], third["next_cursor"]) == (5, None)
    assert (await user.ask("GET", f"{DEPLOYMENTS}?limit=201")).status == 422
    assert (await user.ask("GET", f"{DEPLOYMENTS}?cursor=%21")).status == 422


async def test_the_state_cannot_be_changed_by_hand_and_a_new_name_keeps_the_hosts(
    user: User, hello_id: str
) -> None:
    created = await user.create(hello_id, start=False)
    one = f"{DEPLOYMENTS}/{created.body['id']}"

    assert (await user.ask("PATCH", one, {"status": "running"})).status == 422
    renamed = await user.ask("PATCH", one, {"name": "other"})
    assert (renamed.body["name"], renamed.body["hosts"]) == ("other", created.body["hosts"])


@pytest.mark.usefixtures("worker")
async def test_an_order_that_needs_nothing_said_refuses_what_it_would_ignore(
    user: User, stranger: User, hello_id: str
) -> None:
    created = await user.create(hello_id)
    await user.until(created.body["id"], "running")
    one = f"{DEPLOYMENTS}/{created.body['id']}"

    for verb in ("stop", "start", "restart"):
        refused = await user.ask("POST", f"{one}/{verb}", {"force": True})
        assert (refused.status, refused.body["errors"][0]["field"]) == (422, "force")
        assert (await stranger.ask("POST", f"{one}/{verb}", {"force": True})).status == 404
    assert (await user.ask("POST", f"{one}/start", {})).status == 200
    assert (await user.ask("GET", one)).body["status"] == "running"
    assert await _event_types(user) == ["deployment.created"]


@pytest.mark.usefixtures("worker")
async def test_twenty_stops_at_once_are_one_operation(user: User, hello_id: str) -> None:
    created = await user.create(hello_id)
    await user.until(created.body["id"], "running")
    answers = await asyncio.gather(
        *(user.ask("POST", f"{DEPLOYMENTS}/{created.body['id']}/stop") for _ in range(20))
    )

    assert sorted(answer.status for answer in answers) == [200] * 19 + [202]
    assert (await _event_types(user)).count("deployment.stopped") == 1
