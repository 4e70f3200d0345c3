"""A node that does something by itself. The watch compares five times a second here."""

import asyncio
from typing import Any

import pytest

from tests.fakes.hoster_project import FakeProject
from tests.fakes.hoster_worker import FakeWorker
from tests.integration.hoster.conftest import User, eventually

DEPLOYMENTS = "/api/v1/deployments"
SEVERAL_LOOKS_S = 1.0


async def _running(user: User, hello_id: str, name: str = "app") -> dict:
    created = await user.ask(
        "POST", DEPLOYMENTS, {"name": name, "template_id": hello_id, "variables": {"MESSAGE": "hi"}}
    )
    return await user.until(created.body["id"], "running")


def _project(worker: FakeWorker, deployment: dict) -> FakeProject:
    return worker.projects[deployment["hosts"][0].split(".")[0]]


async def _shown(user: User, deployment: dict) -> dict:
    return (await user.ask("GET", f"{DEPLOYMENTS}/{deployment['id']}")).body


async def _running_again(user: User, deployment: dict) -> dict:
    """Waiting for it by `/wait` is refused while it is failed: only the node knows whether it comes back."""

    async def runs() -> bool:
        return (await _shown(user, deployment))["status"] == "running"

    await eventually(runs, 40)
    return await _shown(user, deployment)


async def _drift_events(user: User, deployment: dict) -> list[str]:
    target = f"{DEPLOYMENTS}/{deployment['id']}/monitoring/events?type=drift"
    items = (await user.ask("GET", target)).body["items"]
    return [item["message"] for item in items if item["type"] == "drift"]


async def _billed(user: User) -> list[str]:
    events = await user.ask("GET", "/api/v1/billing/events")
    return [event["event_type"] for event in events.body["items"]]


@pytest.mark.parametrize("status", ["failed", "crashed"])
async def test_an_app_that_dies_is_shown_as_failed_and_as_running_when_it_is_back(
    user: User, worker: FakeWorker, hello_id: str, status: str
) -> None:
    deployment = await _running(user, hello_id)
    untouched = await _running(user, hello_id, "other")
    project = _project(worker, deployment)
    project.status_reason, project.status = "restarted 5 times within 5 minutes", status
    failed = await user.until(deployment["id"], "failed")
    assert failed["status_reason"] == "restarted 5 times within 5 minutes"

    project.status_reason, project.status = "", "running"
    again = await _running_again(user, deployment)
    assert again["status_reason"] is None
    assert await _drift_events(user, deployment) == [
        "The app runs again by itself.",
        "restarted 5 times within 5 minutes",
    ]
    assert await _shown(user, untouched) == untouched
    assert await _billed(user) == ["deployment.created"] * 2


async def test_a_deploy_that_failed_stays_failed_although_the_node_shows_it_running(
    user: User, worker: FakeWorker, hello_id: str
) -> None:
    worker.fail_deploys_with = "no such image"
    created = await user.ask("POST", DEPLOYMENTS, {"name": "x", "template_id": hello_id})
    failed = await user.until(created.body["id"], "failed")
    _project(worker, failed).status = "running"
    await asyncio.sleep(SEVERAL_LOOKS_S)

    assert await _shown(user, failed) == failed


async def test_a_node_that_came_back_empty_gets_its_apps_back_with_their_variables(
    user: User, worker: FakeWorker, hello_id: str
) -> None:
    deployments = [await _running(user, hello_id, f"app {number}") for number in range(3)]
    stopped = await _running(user, hello_id, "stopped")
    await user.ask("POST", f"{DEPLOYMENTS}/{stopped['id']}/stop")
    await user.until(stopped["id"], "stopped")
    before = await _billed(user)
    worker.projects.clear()

    async def are_back() -> bool:
        return [project.status for project in worker.projects.values()] == ["running"] * 3

    await eventually(are_back, 40)
    for deployment in deployments:
        back = await user.until(deployment["id"], "running")
        assert (back["hosts"], back["status_reason"]) == (deployment["hosts"], None)
        assert _project(worker, deployment).environment() == {"MESSAGE": "hi"}
        assert await _drift_events(user, deployment) == ["The node had lost the app; it is brought back."]
    assert (await _shown(user, stopped))["status"] == "stopped"
    assert await _billed(user) == before


async def test_what_is_recorded_as_running_or_stopped_is_made_so_without_being_billed(
    user: User, worker: FakeWorker, hello_id: str
) -> None:
    running, stopped = await _running(user, hello_id, "one"), await _running(user, hello_id, "two")
    await user.ask("POST", f"{DEPLOYMENTS}/{stopped['id']}/stop")
    await user.until(stopped["id"], "stopped")
    before = await _billed(user)
    _project(worker, running).status, _project(worker, stopped).status = "stopped", "running"

    async def is_so() -> bool:
        return (_project(worker, running).status, _project(worker, stopped).status) == ("running", "stopped")

    await eventually(is_so, 40)
    await user.until(running["id"], "running")
    await user.until(stopped["id"], "stopped")
    assert len(_project(worker, running).deploys) == 1, (
        "an app that was only stopped must not be deployed again"
    )
    assert await _drift_events(user, running) == ["The node had stopped the app; it is started again."]
    assert len(await _drift_events(user, stopped)) == 1
    assert await _billed(user) == before


async def test_an_app_that_is_still_there_after_its_deletion_is_removed_as_its_owner_said(
    user: User, worker: FakeWorker, hello_id: str
) -> None:
    deployment = await _running(user, hello_id)
    project = _project(worker, deployment)
    await user.ask("DELETE", f"{DEPLOYMENTS}/{deployment['id']}?volumes=delete")
    await user.until_gone(deployment["id"])
    before = await _billed(user)
    stranger = FakeProject("never-ours", "org_a", "x", "public", {}, status="running")
    namesake = FakeProject(project.project_id, "org_b", "x", "public", {}, status="running")
    worker.projects = {stranger.project_id: stranger, namesake.project_id: namesake}
    await asyncio.sleep(SEVERAL_LOOKS_S)
    assert len(worker.projects) == 2
    worker.projects[project.project_id] = project

    async def is_removed() -> bool:
        return list(worker.projects) == ["never-ours"]

    await eventually(is_removed, 40)
    assert worker.calls.count(("DELETE", f"/projects/{project.project_id}?volumes=delete")) == 2
    assert (await user.ask("GET", f"{DEPLOYMENTS}/{deployment['id']}")).status == 404
    assert await _billed(user) == before


@pytest.mark.parametrize("trouble", ["unreachable", "engine_unavailable", "lists_nonsense"])
async def test_a_node_that_does_not_answer_properly_changes_nothing(
    user: User, worker: FakeWorker, hello_id: str, trouble: Any
) -> None:
    deployment = await _running(user, hello_id)
    if trouble == "unreachable":
        await worker.stop()
    else:
        setattr(worker, trouble, True)
    worker.projects.clear()
    await asyncio.sleep(SEVERAL_LOOKS_S)

    assert await _shown(user, deployment) == deployment


async def test_an_order_in_progress_is_never_mistaken_for_drift(
    user: User, worker: FakeWorker, hello_id: str
) -> None:
    worker.deploy_s = SEVERAL_LOOKS_S
    deployment = await _running(user, hello_id)
    for order, state in (("stop", "stopped"), ("start", "running")) * 3:
        await user.ask("POST", f"{DEPLOYMENTS}/{deployment['id']}/{order}")
        await user.until(deployment["id"], state)

    assert await _drift_events(user, deployment) == []
    assert [project.status for project in worker.projects.values()] == ["running"]
