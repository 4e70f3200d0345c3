"""Deploying on the real engine, seen through the mesh and through docker's own eyes."""

import asyncio
from datetime import datetime
from pathlib import Path

import pytest

from tests.integration.worker_deploys.conftest import Worker
from tests.integration.worker_deploys.deploying import HEALTHY, cancel, create, deploy, services_of, status_of
from tests.integration.worker_deploys.docker_cli import (
    container_ids,
    docker,
    inspect,
    network_ids,
)
from tests.integration.worker_deploys.running import eventually

pytestmark = pytest.mark.engine


async def test_a_deployed_image_serves_under_its_host_names(worker: Worker, tiny_image: str) -> None:
    await create(worker, "site")
    assert (await worker.get("site.zexio.app"))[0] == 503

    ended = await deploy(worker, "site", tiny_image)

    assert ended["status"] == "active"
    assert [step["name"] for step in ended["steps"]] == [
        "preparing",
        "creating",
        "starting",
        "checking",
        "switching",
        "draining",
    ]
    assert all(step["finished_at"] for step in ended["steps"])
    assert await worker.get("SITE.zexio.app") == (200, "hello\n")
    project = await worker.commander.ok("GET", "/projects/site")
    assert (project["status"], project["release"]) == ("running", ended["deploy_id"])
    [service] = await services_of(worker.commander, "site")
    assert (service["name"], service["status"], service["health"]) == ("web", "running", "healthy")


async def test_a_deploy_that_never_gets_healthy_leaves_the_old_release_serving(
    worker: Worker, tiny_image: str
) -> None:
    await create(worker, "steady")
    first = await deploy(worker, "steady", tiny_image)

    failed = await deploy(worker, "steady", tiny_image, healthcheck={"path": "/missing", "deadline_s": 5})

    assert failed["status"] == "failed"
    assert "HTTP 404" in failed["reason"]
    assert failed["health_attempts"]
    assert await worker.get("steady.zexio.app") == (200, "hello\n")
    assert len(container_ids(worker.instance)) == 1
    project = await worker.commander.ok("GET", "/projects/steady")
    assert (project["status"], project["release"]) == ("running", first["deploy_id"])


async def test_a_crash_at_boot_fails_with_its_exit_code_and_last_words(
    worker: Worker, tiny_image: str
) -> None:
    await create(worker, "broken")

    command = ["/bin/sh", "-c", "echo reading config; echo no such table >&2; exit 3"]
    failed = await deploy(worker, "broken", tiny_image, command=command)

    assert failed["status"] == "failed"
    assert "exit code 3" in failed["reason"]
    assert sorted(failed["log_tail"]) == ["no such table", "reading config"]
    assert await status_of(worker, "broken") == "failed"
    assert container_ids(worker.instance) == []


async def test_an_image_that_is_not_there_is_named(worker: Worker) -> None:
    await create(worker, "absent")

    failed = await deploy(worker, "absent", "localhost/no-such-image:7")

    assert failed["status"] == "failed"
    assert "localhost/no-such-image:7" in failed["reason"]


async def test_a_redeploy_under_requests_fails_none_of_them(worker: Worker, tiny_image: str) -> None:
    await create(worker, "busy")
    await deploy(worker, "busy", tiny_image)
    answers: list[tuple[int, str]] = []
    stop = asyncio.Event()

    async def visit(path: str) -> None:
        while not stop.is_set():
            answers.append(await worker.get("busy.zexio.app", path))
            await asyncio.sleep(0.02)

    async def is_served() -> bool:
        return {"second\n", "slow\n"} <= {text for _status, text in answers}

    async with asyncio.TaskGroup() as visitors:
        for path in ("/", "/", "/cgi-bin/slow"):
            visitors.create_task(visit(path))
        await worker.commander.ok("POST", "/projects/busy/env", {"env": {"TEXT": "second"}})
        ended = await deploy(worker, "busy", tiny_image)
        await eventually(is_served)
        stop.set()

    assert ended["status"] == "active"
    assert {status for status, _text in answers} == {200}
    assert {"hello\n", "second\n", "slow\n"} == {text for _status, text in answers}
    assert answers[-1][1] != "hello\n"
    assert len(container_ids(worker.instance)) == 1


async def test_stop_and_start_bring_the_same_release_back(worker: Worker, tiny_image: str) -> None:
    await create(worker, "nap")
    release = (await deploy(worker, "nap", tiny_image))["deploy_id"]

    for _repeat in range(2):
        assert (await worker.commander.call("POST", "/projects/nap/stop"))[0] == 202
        await eventually(lambda: _is(worker, "nap", "stopped"))
    assert (await worker.get("nap.zexio.app"))[0] == 503
    assert container_ids(worker.instance, running_only=True) == []

    for _repeat in range(2):
        assert (await worker.commander.call("POST", "/projects/nap/start"))[0] == 202
        await eventually(lambda: _is(worker, "nap", "running"))
    assert await worker.get("nap.zexio.app") == (200, "hello\n")
    [container_id] = container_ids(worker.instance)
    before = inspect(container_id)["State"]["StartedAt"]

    await worker.commander.ok("POST", "/projects/nap/restart")
    await eventually(lambda: _is(worker, "nap", "running"))

    project = await worker.commander.ok("GET", "/projects/nap")
    assert project["release"] == release
    assert inspect(container_id)["State"]["StartedAt"] != before
    assert await worker.get("nap.zexio.app") == (200, "hello\n")


async def test_a_release_whose_container_was_removed_is_made_again_from_its_record(
    worker: Worker, tiny_image: str
) -> None:
    await create(worker, "gone")
    await worker.commander.ok("POST", "/projects/gone/env", {"env": {"TEXT": "as deployed"}})
    await deploy(worker, "gone", tiny_image)
    await worker.commander.ok("POST", "/projects/gone/env", {"env": {"TEXT": "not deployed"}})

    docker("rm", "-f", *container_ids(worker.instance))
    answer = await worker.commander.ok("POST", "/sync")

    assert [project["status"] for project in answer["projects"]] == ["running"]
    assert await worker.get("gone.zexio.app") == (200, "as deployed\n")


async def test_a_deleted_project_leaves_nothing_behind(worker: Worker, tiny_image: str) -> None:
    await create(worker, "brief")
    await deploy(worker, "brief", tiny_image)
    assert network_ids(worker.instance)

    assert (await worker.commander.call("DELETE", "/projects/brief"))[0] == 200

    assert container_ids(worker.instance) == []
    assert network_ids(worker.instance) == []
    assert (await worker.get("brief.zexio.app"))[0] == 404
    assert (await worker.commander.call("GET", "/projects/brief"))[0] == 404


async def test_deleting_cancels_a_deploy_in_progress(worker: Worker, tiny_image: str) -> None:
    await create(worker, "hasty")
    never = {"image": tiny_image, "port": 8080, "healthcheck": {"path": "/never", "deadline_s": 600}}
    await worker.commander.ok("POST", "/projects/hasty/deploy", never)
    await eventually(lambda: _runs(worker))

    # Answered within a minute or not at all, and the deploy would wait for ten.
    assert (await worker.commander.call("DELETE", "/projects/hasty"))[0] == 200

    assert container_ids(worker.instance) == []


async def test_the_newest_deploy_replaces_a_queued_one_and_a_running_one_can_be_cancelled(
    worker: Worker, tiny_image: str
) -> None:
    await create(worker, "queue")
    never = {"image": tiny_image, "port": 8080, "healthcheck": {"path": "/never", "deadline_s": 600}}
    good = {"image": tiny_image, "port": 8080, "healthcheck": HEALTHY}
    commander = worker.commander
    running = (await commander.ok("POST", "/projects/queue/deploy", never))["deploy_id"]
    await eventually(lambda: _runs(worker))
    queued = (await commander.ok("POST", "/projects/queue/deploy", never))["deploy_id"]
    newest = (await commander.ok("POST", "/projects/queue/deploy", good))["deploy_id"]

    assert (await commander.ok("GET", f"/projects/queue/deploys/{queued}"))["status"] == "superseded"
    assert await cancel(commander, f"/projects/queue/deploys/{running}") == "cancelled"
    await eventually(lambda: _is(worker, "queue", "running"))

    assert (await commander.ok("GET", f"/projects/queue/deploys/{newest}"))["status"] == "active"
    assert (await commander.call("DELETE", f"/projects/queue/deploys/{newest}"))[0] == 409
    assert len(container_ids(worker.instance)) == 1


async def test_the_same_idempotency_key_deploys_once(worker: Worker, tiny_image: str) -> None:
    await create(worker, "once")

    first = await deploy(worker, "once", tiny_image, idempotency_key="job_1")
    again = await deploy(worker, "once", tiny_image, idempotency_key="job_1")

    assert again["deploy_id"] == first["deploy_id"]
    assert len((await worker.commander.ok("GET", "/projects/once/deploys"))["items"]) == 1


async def test_five_restarts_in_five_minutes_are_a_crash(
    worker: Worker, tiny_image: str, tmp_path: Path
) -> None:
    await create(worker, "loop")
    until_broken = (
        "echo ok > /www/index.html; /bin/busybox httpd -p $PORT -h /www;"
        ' until [ "$(/bin/busybox cat /www/mood)" = broken ]; do /bin/busybox sleep 0.2; done; exit 1'
    )
    ended = await deploy(worker, "loop", tiny_image, command=["/bin/sh", "-c", until_broken])
    assert ended["status"] == "active"
    [container_id] = container_ids(worker.instance)

    async def become(mood: str) -> None:
        (tmp_path / "mood").write_text(mood)
        await asyncio.to_thread(docker, "cp", str(tmp_path / "mood"), f"{container_id}:/www/mood")

    async def is_told() -> bool:
        return len((await worker.commander.ok("GET", "/projects/loop/events?type=crashed"))["items"]) == 1

    await become("broken")
    await eventually(lambda: _is(worker, "loop", "crashed"))

    await eventually(lambda: _stands_still(container_id))
    assert (await worker.get("loop.zexio.app"))[0] == 503
    await eventually(is_told)
    await become("well")
    # What runs nevertheless, because the engine would not end it or because of somebody's own hand, does not go on.
    await asyncio.to_thread(docker, "update", "--restart=always", container_id)
    await asyncio.to_thread(docker, "start", container_id)
    await eventually(lambda: _stands_still(container_id))
    await worker.commander.ok("POST", "/projects/loop/start")
    await eventually(lambda: _is(worker, "loop", "running"))


async def _is(worker: Worker, project_id: str, status: str) -> bool:
    return await status_of(worker, project_id) == status


async def _stands_still(container_id: str) -> bool:
    seen = await asyncio.to_thread(inspect, container_id)
    return not seen["State"]["Running"] and seen["HostConfig"]["RestartPolicy"]["Name"] == "no"


async def _runs(worker: Worker) -> bool:
    return bool(await asyncio.to_thread(container_ids, worker.instance, running_only=True))


async def test_without_a_health_path_a_release_must_stay_up_for_ten_seconds(
    worker: Worker, tiny_image: str
) -> None:
    await create(worker, "plain")
    await create(worker, "brief")

    six_seconds = "exec /bin/busybox timeout 6 /bin/busybox httpd -f -p $PORT -h /www"
    failed, active = await asyncio.gather(
        deploy(worker, "brief", tiny_image, healthcheck=None, command=["/bin/sh", "-c", six_seconds]),
        deploy(worker, "plain", tiny_image, healthcheck={"deadline_s": 5}),
    )

    assert failed["status"] == "failed"
    assert "ended" in failed["reason"]
    assert active["status"] == "active"
    [checking] = [step for step in active["steps"] if step["name"] == "checking"]
    assert _moment(checking["finished_at"]) - _moment(checking["started_at"]) >= 10


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
