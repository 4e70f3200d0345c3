"""Several services in one release, on the real engine."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from tests.integration.worker_deploys.composing import deploy_compose, shop
from tests.integration.worker_deploys.conftest import Worker, running_worker, worker_variables
from tests.integration.worker_deploys.deploying import cancel, create, services_of
from tests.integration.worker_deploys.docker_cli import (
    container_ids,
    docker,
    inspect,
    network_ids,
    remove_everything_of,
)
from tests.integration.worker_deploys.hardened import assert_hardened
from tests.integration.worker_deploys.running import eventually
from tests.integration.worker_mesh.token_issuer import TokenIssuer
from worker.runtime import labels

pytestmark = pytest.mark.engine


def by_service(worker: Worker, project: str) -> dict[str, str]:
    ids = container_ids(worker.instance, project=project)
    return {inspect(one)["Config"]["Labels"][labels.SERVICE]: one for one in ids}


def volumes_of(worker: Worker) -> list[str]:
    return docker("volume", "ls", "-q", f"--filter=label={labels.INSTANCE}={worker.instance}").split()


async def test_two_shops_of_one_organisation_each_reach_their_own_database(
    worker: Worker, tiny_image: str
) -> None:
    for project, word in (("one", "first"), ("two", "second")):
        await create(worker, project)
        ended = await deploy_compose(worker, project, shop(tiny_image, word))
        assert ended["status"] == "active", ended

    for _turn in range(5):
        assert await worker.get("one.zexio.app", "/cgi-bin/ask") == (200, "first\n")
        assert await worker.get("two.zexio.app", "/cgi-bin/ask") == (200, "second\n")
    services = await services_of(worker.commander, "one")
    assert [(s["name"], s["status"], s["health"]) for s in services] == [
        ("db", "running", "healthy"),
        ("web", "running", "healthy"),
    ]
    logs = await worker.commander.ok("GET", "/projects/one/stats")
    assert {container["name"] for container in logs["containers"]} == {"db", "web"}
    for container in by_service(worker, "one").values():
        assert_hardened(container)


async def test_a_volume_is_handed_over_while_requests_wait(worker: Worker, tiny_image: str) -> None:
    await create(worker, "shop")
    await deploy_compose(worker, "shop", shop(tiny_image, "kept"))
    wrong: list[tuple[int, str]] = []
    together: set[int] = set()
    stop = asyncio.Event()

    async def visit() -> None:
        while not stop.is_set():
            answer = await worker.get("shop.zexio.app", "/cgi-bin/ask")
            if answer != (200, "kept\n"):
                wrong.append(answer)
            await asyncio.sleep(0.02)

    async def count_databases() -> None:
        label = f"label={labels.SERVICE}=db"
        mine = f"label={labels.INSTANCE}={worker.instance}"
        while not stop.is_set():
            running = await asyncio.to_thread(docker, "ps", "-q", "--filter", label, "--filter", mine)
            together.add(len(running.split()))
            await asyncio.sleep(0.1)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(visit())
        tasks.create_task(count_databases())
        second = await deploy_compose(worker, "shop", shop(tiny_image, "other"))
        failed = await deploy_compose(
            worker, "shop", shop(tiny_image, "other", healthcheck={"x-path": "/no", "x-deadline": "5s"})
        )
        stop.set()

    assert second["status"] == "active"
    assert failed["status"] == "failed"
    assert "HTTP 404" in failed["reason"]
    assert wrong == []
    assert 2 not in together
    assert await worker.get("shop.zexio.app", "/cgi-bin/ask") == (200, "kept\n")
    assert len(container_ids(worker.instance)) == 2
    assert len(network_ids(worker.instance)) == 2, "the organisation's and that of the release"
    await worker.commander.ok("DELETE", "/projects/shop?volumes=delete")
    assert (network_ids(worker.instance), volumes_of(worker)) == ([], [])


async def test_a_kept_volume_is_never_found_by_another_organisation(worker: Worker, tiny_image: str) -> None:
    await create(worker, "shop")
    await deploy_compose(worker, "shop", shop(tiny_image, "kept"))
    await worker.commander.ok("DELETE", "/projects/shop?volumes=keep")
    [kept] = volumes_of(worker)

    await create(worker, "shop", "org_b")
    await deploy_compose(worker, "shop", shop(tiny_image, "stranger"))

    assert await worker.get("shop.zexio.app", "/cgi-bin/ask") == (200, "stranger\n")
    await worker.commander.ok("DELETE", "/projects/shop?volumes=delete")
    assert volumes_of(worker) == [kept]
    docker("volume", "rm", kept)


async def test_a_task_runs_once_before_what_waits_for_its_completion(worker: Worker, tiny_image: str) -> None:
    await create(worker, "tasks")
    compose = shop(tiny_image, "w", depends_on={"migrate": {"condition": "service_completed_successfully"}})
    compose["services"]["migrate"] = {
        "image": tiny_image,
        "command": ["/bin/sh", "-c", "echo migrating; echo ran >> /data/runs"],
        "volumes": ["data:/data"],
        "depends_on": ["db"],
        "deploy": {"resources": {"limits": {"cpus": "0.5", "memory": "32M", "pids": 20}}},
    }
    ended = await deploy_compose(worker, "tasks", compose)
    assert ended["status"] == "active", ended
    services = await services_of(worker.commander, "tasks")
    assert [(s["name"], s["status"]) for s in services] == [
        ("db", "running"),
        ("migrate", "completed"),
        ("web", "running"),
    ]
    host = inspect(by_service(worker, "tasks")["migrate"])["HostConfig"]
    assert (host["NanoCpus"], host["Memory"], host["PidsLimit"]) == (500_000_000, 32 * 2**20, 20)

    await worker.commander.ok("POST", "/projects/tasks/stop")
    await eventually(lambda: _has_status(worker, "tasks", "stopped"))
    assert container_ids(worker.instance, running_only=True) == []
    await worker.commander.ok("POST", "/projects/tasks/start")
    await eventually(lambda: _has_status(worker, "tasks", "running"))

    assert await worker.get("tasks.zexio.app", "/cgi-bin/ask") == (200, "w\n")
    db = by_service(worker, "tasks")["db"]
    assert docker("exec", db, "/bin/busybox", "cat", "/data/runs") == "ran\n"

    compose["services"]["migrate"]["command"] = ["/bin/sh", "-c", "echo no such column; exit 4"]
    failed = await deploy_compose(worker, "tasks", compose)
    assert (failed["status"], failed["reason"]) == ("failed", "migrate: the container ended with exit code 4")
    assert "migrate | no such column" in failed["log_tail"]
    await eventually(lambda: _has_status(worker, "tasks", "running"))
    await worker.commander.ok("DELETE", "/projects/tasks?volumes=delete")
    assert volumes_of(worker) == []


async def test_a_service_that_dies_or_is_removed_comes_back_alone(worker: Worker, tiny_image: str) -> None:
    await create(worker, "repair")
    await deploy_compose(worker, "repair", shop(tiny_image, "again", db={"volumes": []}))
    before = by_service(worker, "repair")

    await asyncio.to_thread(docker, "rm", "-f", before["db"])

    async def is_back() -> bool:
        now = by_service(worker, "repair")
        return (
            "db" in now
            and now["db"] != before["db"]
            and await worker.get("repair.zexio.app", "/cgi-bin/ask") == (200, "again\n")
        )

    await eventually(is_back)
    await eventually(lambda: _has_status(worker, "repair", "running"))
    assert by_service(worker, "repair")["web"] == before["web"]
    await worker.commander.ok("POST", "/projects/repair/restart")
    await eventually(lambda: _has_status(worker, "repair", "running"))
    assert await worker.get("repair.zexio.app", "/cgi-bin/ask") == (200, "again\n")


async def test_a_deploy_cancelled_during_the_handover_brings_the_old_release_back(
    worker: Worker, tiny_image: str
) -> None:
    await create(worker, "shop")
    first = await deploy_compose(worker, "shop", shop(tiny_image, "kept"))
    never = shop(tiny_image, "x", healthcheck={"x-path": "/no", "x-deadline": "40s"})
    begun = await worker.commander.ok("POST", "/projects/shop/deploy", {"compose": never, "web": "web"})
    path = f"/projects/shop/deploys/{begun['deploy_id']}"

    async def is_checking() -> bool:
        return bool((await worker.commander.ok("GET", path))["status"] == "checking")

    await eventually(is_checking)
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(worker.get("shop.zexio.app", "/cgi-bin/ask"))
        await asyncio.sleep(0.3)
        ended = await cancel(worker.commander, path)

    assert ended == "cancelled"
    assert waiting.result() == (200, "kept\n"), "who came meanwhile was made to wait, not sent away"
    await eventually(lambda: _has_status(worker, "shop", "running"))
    assert (await worker.commander.ok("GET", "/projects/shop"))["release"] == first["deploy_id"]
    await worker.commander.ok("DELETE", "/projects/shop?volumes=delete")


async def test_each_service_has_a_host_name_on_the_mesh_for_its_organisation(
    docker_engine: str,
    tmp_path: Path,
    free_port: Callable[[], int],
    session: aiohttp.ClientSession,
    tiny_image: str,
) -> None:
    issuer = TokenIssuer()
    async with issuer.serving() as keys:
        variables = {**worker_variables(docker_engine, tmp_path, free_port), "JWKS_URL": keys}
        async with running_worker(variables, session) as worker:
            await create(worker, "one")
            await deploy_compose(worker, "one", shop(tiny_image, "first", db={"volumes": []}))

            found = {
                (host, org): await _ask_as(worker, host, issuer.token(org))
                for host in ("db.one", "web.one", "one", "none.one")
                for org in ("org_a", "org_b")
            }
        remove_everything_of(worker.instance)

    assert found == {
        ("db.one", "org_a"): 200,
        ("web.one", "org_a"): 404,
        ("one", "org_a"): 404,
        ("none.one", "org_a"): 503,
        **{(host, "org_b"): 403 for host in ("db.one", "web.one", "one", "none.one")},
    }


async def _ask_as(worker: Worker, host: str, token: str) -> int:
    """Whether that service has the file that only the database has."""
    headers = {"Host": f"{host}.zexio.internal", "Authorization": f"Bearer {token}"}
    async with worker.session.get(f"{worker.mesh}/word", headers=headers) as response:
        return response.status


UNSUPPORTED: list[tuple[dict[str, object], str]] = [
    ({"privileged": True}, "compose.services.web.privileged"),
    ({"volumes": ["/etc:/etc"]}, "compose.services.web.volumes"),
    ({"volumes": ["data:/x/../../proc"]}, "compose.services.web.volumes"),
    ({"ports": ["80:8080"]}, "compose.services.web.ports"),
    ({"depends_on": ["nobody"]}, "compose.services.web.depends_on.nobody"),
    ({"network_mode": "host"}, "compose.services.web.network_mode"),
    ({"environment": {"A": None}}, "compose.services.web.environment.A"),
    ({"deploy": {"replicas": 2}}, "compose.services.web.deploy.replicas"),
    ({"healthcheck": {"test": ["RUN", "x"]}}, "compose.services.web.healthcheck.test"),
    ({"command": "echo 'x"}, "compose.services.web.command"),
    ({"db": {"depends_on": ["web"]}}, "compose.services"),
]


async def test_what_would_not_be_carried_out_is_refused_by_its_name(worker: Worker, tiny_image: str) -> None:
    await create(worker, "strict")

    for change, field in UNSUPPORTED:
        status, answer = await worker.commander.call(
            "POST", "/projects/strict/deploy", {"compose": shop(tiny_image, "w", **change), "web": "web"}
        )

        assert (status, answer["code"]) == (422, "unsupported_compose"), change
        assert field in [fault["field"] for fault in answer["errors"]]
    assert (await worker.commander.ok("GET", "/projects/strict/deploys"))["items"] == []


async def _has_status(worker: Worker, project: str, status: str) -> bool:
    return bool((await worker.commander.ok("GET", f"/projects/{project}"))["status"] == status)
