"""Add-ons on the real engine: installed, linked, removed, and what survives what."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.integration.worker_deploys.agent import Agent
from tests.integration.worker_deploys.conftest import Worker, running_worker, worker_variables
from tests.integration.worker_deploys.deploying import create, deploy
from tests.integration.worker_deploys.docker_cli import container_ids, docker, inspect, network_ids
from tests.integration.worker_deploys.hardened import assert_hardened
from tests.integration.worker_deploys.running import eventually
from tests.integration.worker_services.conftest import volumes_of
from worker.runtime import labels

pytestmark = pytest.mark.engine


async def install(worker: Worker | Agent, service: str = "vault", **more: Any) -> dict[str, Any]:
    body = {"service": service, "org_id": "org_a", **more}
    status, answer = await worker.commander.call("POST", "/services/install", body)
    assert status == 202, answer
    return dict(answer)


async def until(worker: Worker | Agent, service_id: str, status: str) -> dict[str, Any]:
    shown: dict[str, Any] = {}

    async def is_so() -> bool:
        shown.update(await worker.commander.ok("GET", f"/services/{service_id}"))
        return bool(shown["status"] == status)

    await eventually(is_so)
    return shown


def password_of(container_id: str) -> str:
    environment = dict(entry.split("=", 1) for entry in inspect(container_id)["Config"]["Env"])
    return str(environment["VAULT_PASSWORD"])


async def test_a_linked_service_lets_the_app_in_and_nobody_sees_the_password(
    worker: Worker, vault_image: str
) -> None:
    await create(worker, "site")
    installed = await install(worker, project_id="site", name="strongroom")
    running = await until(worker, installed["service_id"], "running")
    await worker.commander.ok("POST", "/projects/site/env", {"env": {"OTHER": "1"}, "mode": "replace"})

    assert (await deploy(worker, "site", vault_image))["status"] == "active"

    # The health checks are visitors too, hence no number.
    assert (await worker.get("site.zexio.app"))[1].startswith("welcome app: ")
    assert running["linked"] == [{"project_id": "site", "variable": "VAULT_URL"}]
    [container_id] = [
        found
        for found in container_ids(worker.instance)
        if inspect(found)["Config"]["Labels"].get(labels.ADDON) == installed["service_id"]
    ]
    password = password_of(container_id)
    everything = [
        await worker.commander.ok("GET", path)
        for path in ("/services", f"/services/{installed['service_id']}", "/projects/site", "/system/logs")
    ]
    assert password not in str([installed, everything])
    assert password not in str(inspect(container_id)["Config"]["Cmd"])


async def test_a_service_has_the_hardened_profile_and_no_published_port(worker: Worker) -> None:
    installed = await install(worker)
    await until(worker, installed["service_id"], "running")

    [container_id] = container_ids(worker.instance)
    seen = inspect(container_id)

    host = seen["HostConfig"]
    assert_hardened(container_id)
    assert (host["PidsLimit"], host["Memory"], host["NanoCpus"]) == (32, 32 << 20, 500_000_000)
    assert host["RestartPolicy"]["Name"] == "unless-stopped"
    assert [mount["Type"] for mount in seen["Mounts"]] == ["volume"]
    assert len(seen["NetworkSettings"]["Networks"]) == 1


async def test_removing_keeps_the_data_unless_told_otherwise(worker: Worker, vault_image: str) -> None:
    commander = worker.commander
    await create(worker, "site")
    installed = await install(worker, project_id="site")
    service = f"/services/{installed['service_id']}"
    await until(worker, installed["service_id"], "running")
    [first] = container_ids(worker.instance)
    password = password_of(first)

    assert (await commander.ok("DELETE", service))["volumes"] == "kept"

    assert container_ids(worker.instance) == []
    assert len(volumes_of(worker.instance)) == 1
    assert (await commander.ok("GET", service))["status"] == "kept"
    assert (await commander.ok("GET", service))["linked"] == []
    other = {"service": "vault", "org_id": "org_a", "version": "2"}
    assert (await commander.call("POST", "/services/install", other))[0] == 409, "another version's data"

    again = await install(worker)
    assert again["service_id"] == installed["service_id"]
    await until(worker, again["service_id"], "running")
    [second] = container_ids(worker.instance)
    assert password_of(second) == password
    assert docker("exec", second, "/bin/busybox", "cat", "/vault/visits").count("visit") > 1

    await commander.ok("DELETE", f"{service}?volumes=delete")
    assert (container_ids(worker.instance), volumes_of(worker.instance)) == ([], [])
    assert (await commander.call("GET", service))[0] == 404
    assert len(network_ids(worker.instance)) == 1, "the project's organisation still needs it"
    await commander.ok("DELETE", "/projects/site")
    assert network_ids(worker.instance) == []


async def test_what_cannot_be_installed_is_named_and_nothing_is_made(worker: Worker) -> None:
    commander = worker.commander
    await create(worker, "theirs", "org_b")
    await create(worker, "mine", "org_a")
    vault = {"service": "vault", "org_id": "org_a"}
    wrong = [
        ({"service": "oracle", "org_id": "org_a"}, 422, "not_in_catalog"),
        ({"service": "../etc", "org_id": "org_a"}, 422, "not_in_catalog"),
        ({**vault, "version": "99"}, 422, "not_in_catalog"),
        ({**vault, "name": "No Name"}, 422, "invalid_body"),
        ({**vault, "command": "rm -rf /"}, 422, "invalid_body"),
        ({**vault, "project_id": "theirs"}, 404, "unknown_project"),
        ({**vault, "project_id": "nobodys"}, 404, "unknown_project"),
        ({**vault, "project_id": "../x"}, 422, "invalid_project_id"),
        ({"service": "vault"}, 422, "invalid_body"),
    ]
    for body, status, code in wrong:
        answer = await commander.call("POST", "/services/install", body)
        assert (answer[0], answer[1]["code"]) == (status, code), body
    assert (await commander.ok("GET", "/services"))["items"] == []
    assert (await commander.call("DELETE", "/services/svc_none"))[0] == 404

    await install(worker, project_id="mine")
    twice = await commander.call("POST", "/services/install", {**vault, "project_id": "mine"})
    assert (twice[0], twice[1]["code"]) == (409, "service_exists")
    same_variable = {**vault, "project_id": "mine", "name": "second"}
    taken = await commander.call("POST", "/services/install", same_variable)
    assert (taken[0], taken[1]["code"]) == (409, "variable_taken")
    await commander.ok("POST", "/services/install", {**same_variable, "variable": "SECOND_URL"})
    await commander.ok("POST", "/services/install", {**vault, "org_id": "org_b"})
    listed = await commander.ok("GET", "/services?org_id=org_a")
    assert [item["name"] for item in listed["items"]] == ["vault", "second"]
    for item in (await commander.ok("GET", "/services"))["items"]:
        await until(worker, item["service_id"], "running")


async def test_a_service_that_cannot_run_says_why_without_its_password(worker: Worker) -> None:
    broken = await until(worker, (await install(worker, "broken"))["service_id"], "failed")
    nowhere = await until(worker, (await install(worker, "nowhere"))["service_id"], "failed")

    assert broken["reason"] == "the container ended with exit code 3\ncannot start with ***"
    assert "is not on this node" in nowhere["reason"]


async def test_a_service_whose_container_is_taken_away_comes_back_with_its_data(worker: Worker) -> None:
    installed = await install(worker)
    await until(worker, installed["service_id"], "running")
    [first] = container_ids(worker.instance)
    password = password_of(first)
    docker("rm", "-f", first)

    async def is_back() -> bool:
        found = await asyncio.to_thread(container_ids, worker.instance)
        shown = await worker.commander.ok("GET", f"/services/{installed['service_id']}")
        return len(found) == 1 and found != [first] and shown["status"] == "running"

    await worker.commander.ok("POST", "/sync", {})
    await eventually(is_back)
    [second] = container_ids(worker.instance)
    assert password_of(second) == password


async def test_without_the_engine_nothing_is_begun_and_what_there_is_can_be_seen(
    catalog: Path, tmp_path: Path, free_port: Callable[[], int], session: aiohttp.ClientSession
) -> None:
    variables = worker_variables(f"unix://{tmp_path}/none.sock", tmp_path / "data", free_port)
    async with running_worker({**variables, "WORKER_CATALOG": str(catalog)}, session) as worker:
        body = {"service": "vault", "org_id": "org_a"}
        status, answer = await worker.commander.call("POST", "/services/install", body)

        assert (status, answer["code"]) == (503, "engine_unavailable")
        assert (await worker.commander.ok("GET", "/services"))["items"] == []
        offered = (await worker.commander.ok("GET", "/services/catalog"))["items"]
        assert offered[0] == {
            "service": "vault",
            "title": "Vault",
            "versions": ["1", "2"],
            "default_version": "1",
            "variable": "VAULT_URL",
        }


@pytest.mark.parametrize("delay_s", [0.0, 0.4])
async def test_an_installation_survives_a_crash_of_the_agent(agent: Agent, delay_s: float) -> None:
    await agent.start()
    installed = await install(agent)
    await asyncio.sleep(delay_s)
    agent.kill()

    await agent.start()

    await until(agent, installed["service_id"], "running")
    assert len(container_ids(agent.instance)) == 1
    assert len(volumes_of(agent.instance)) == 1


async def test_a_removal_that_was_begun_is_finished_after_a_crash(agent: Agent) -> None:
    await agent.start()
    installed = await install(agent)
    await until(agent, installed["service_id"], "running")
    path = f"/services/{installed['service_id']}?volumes=delete"
    removing = asyncio.create_task(agent.commander.call("DELETE", path))

    async def is_removing() -> bool:
        status, answer = await agent.commander.call("GET", f"/services/{installed['service_id']}")
        return status == 404 or answer["status"] == "removing"

    await eventually(is_removing)
    agent.kill()
    await asyncio.gather(removing, return_exceptions=True)

    await agent.start()

    async def is_gone() -> bool:
        status, _answer = await agent.commander.call("GET", f"/services/{installed['service_id']}")
        return status == 404

    await eventually(is_gone)
    assert (container_ids(agent.instance), volumes_of(agent.instance)) == ([], [])
