from tests.fakes.hoster_worker import FakeWorker
from tests.integration.hoster.conftest import User, eventually

DEPLOYMENTS = "/api/v1/deployments"


async def test_a_restart_is_over_when_the_app_has_really_been_restarted_and_is_not_billed(
    user: User, worker: FakeWorker, hello_id: str
) -> None:
    created = await user.ask("POST", DEPLOYMENTS, {"name": "x", "template_id": hello_id})
    await user.until(created.body["id"], "running")
    one = f"{DEPLOYMENTS}/{created.body['id']}"
    project = next(iter(worker.projects.values()))
    worker.restart_s = 600
    restarting = await user.ask("POST", f"{one}/restart")
    assert (restarting.status, restarting.body["status"]) == (202, "starting")
    assert "X-Event-Type" not in restarting.headers
    twice = await user.ask("POST", f"{one}/restart")
    assert (twice.status, twice.body["code"]) == (409, "invalid_transition")

    async def has_been_told() -> bool:
        return ("POST", f"/projects/{project.project_id}/restart") in worker.calls

    await eventually(has_been_told, 40)
    assert (await user.ask("GET", one)).body["status"] == "starting"
    project.restarted += 1
    await user.until(created.body["id"], "running")
    assert worker.calls.count(("POST", f"/projects/{project.project_id}/restart")) == 1
    events = await user.ask("GET", "/api/v1/billing/events")
    assert [event["event_type"] for event in events.body["items"]] == ["deployment.created"]


async def test_only_what_runs_can_be_restarted_and_only_by_its_owner(
    user: User, stranger: User, worker: FakeWorker, hello_id: str
) -> None:
    created = await user.ask("POST", DEPLOYMENTS, {"name": "x", "template_id": hello_id, "start": False})
    one = f"{DEPLOYMENTS}/{created.body['id']}"
    refused = await user.ask("POST", f"{one}/restart")
    assert (refused.status, refused.body["code"]) == (409, "invalid_transition")
    assert (await stranger.ask("POST", f"{one}/restart")).status == 404

    await user.ask("POST", f"{one}/start")
    await user.until(created.body["id"], "running")
    worker.fail_restarts_with = "it does not come up"
    await user.ask("POST", f"{one}/restart")
    assert (await user.until(created.body["id"], "failed"))["status_reason"] == "it does not come up"
    again = await user.ask("POST", f"{one}/restart")
    assert (again.status, again.body["code"]) == (409, "invalid_transition")
