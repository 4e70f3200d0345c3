"""Containers that are kept apart: from the machine, from other organisations, from other workers."""

import asyncio
from contextlib import suppress

import aiohttp
import pytest

from tests.integration.worker_deploys.conftest import Worker
from tests.integration.worker_deploys.deploying import address_of, create, deploy
from tests.integration.worker_deploys.docker_cli import (
    container_ids,
    docker,
    inspect,
)
from tests.integration.worker_deploys.hardened import assert_hardened
from tests.integration.worker_deploys.running import eventually

pytestmark = pytest.mark.engine


async def test_a_container_has_the_hardened_profile(worker: Worker, tiny_image: str) -> None:
    await create(worker, "profile")
    await deploy(worker, "profile", tiny_image)

    [container_id] = container_ids(worker.instance)
    seen = inspect(container_id)
    host = seen["HostConfig"]

    assert_hardened(container_id)
    assert (host["PidsLimit"], host["Memory"], host["NanoCpus"]) == (256, 512 * 2**20, 10**9)
    assert (host["RestartPolicy"]["Name"], seen["Mounts"]) == ("unless-stopped", [])
    assert "PORT=8080" in seen["Config"]["Env"]
    [network] = seen["NetworkSettings"]["Networks"].values()
    assert network["IPAddress"].startswith("10.201.")
    assert network["IPPrefixLen"] == 26


async def test_organisations_cannot_reach_each_others_containers(worker: Worker, tiny_image: str) -> None:
    for project_id, org_id in (("mine", "org_a"), ("ours", "org_a"), ("theirs", "org_b")):
        await create(worker, project_id, org_id)
        await deploy(worker, project_id, tiny_image)
    addresses = {
        project_id: address_of(container_ids(worker.instance, project=project_id)[0])
        for project_id in ("mine", "ours", "theirs")
    }

    def fetches(address: str, patience_s: int) -> bool:
        [mine] = container_ids(worker.instance, project="mine")
        ask = f"echo 'GET / HTTP/1.0' | /bin/busybox nc -w {patience_s} {address} 8080 || echo no connection"
        return "200 OK" in docker("exec", mine, "/bin/sh", "-c", ask)

    assert fetches(addresses["ours"], 30)
    assert not fetches(addresses["theirs"], 2)


NASTY = {
    "DOLLAR": "$HOME ${X} $(id) `id`",
    "QUOTES": "'\"\\ \\n",
    "NEWLINES": "a\nb\r\n\tc\n",
    "EMPTY": "",
    "EQUALS": "=a=b=",
    "SPACES": "  lead and trail  ",
    "HASH": "#not a comment",
    "UNICODE": "żółć 漢字 🙂 \u2028 \ufeff",
    "CONTROL": "".join(chr(code) for code in range(1, 32)) + "\x7f\x80\xff",
    "BCRYPT": "$2y$10$abcdefghijklmnopqrstuv",
    "dotted.name-x": "1",
    "LONG": "x" * 100_000,
}


async def test_the_environment_arrives_byte_for_byte(worker: Worker, tiny_image: str) -> None:
    await create(worker, "exact")
    answer = await worker.commander.ok("POST", "/projects/exact/env", {"env": NASTY})
    assert answer == {"keys": sorted(NASTY), "applied": False}
    await deploy(worker, "exact", tiny_image)

    [container_id] = container_ids(worker.instance)
    held = docker("exec", container_id, "/bin/busybox", "xxd", "-p", "/proc/1/environ")
    entries = bytes.fromhex(held.replace("\n", "")).decode().split("\0")

    assert {f"{name}={value}" for name, value in NASTY.items()} <= set(entries)


@pytest.mark.timeout(300)
async def test_containers_that_swap_addresses_never_answer_for_each_other(
    worker: Worker, tiny_image: str
) -> None:
    ids: dict[str, str] = {}
    for project_id in ("left", "right"):
        await create(worker, project_id)
        await worker.commander.ok("POST", f"/projects/{project_id}/env", {"env": {"TEXT": project_id}})
        await deploy(worker, project_id, tiny_image)
        [ids[project_id]] = container_ids(worker.instance, project=project_id)
    before = {name: address_of(container_id) for name, container_id in ids.items()}
    wrong: list[tuple[str, str]] = []
    stop = asyncio.Event()

    async def visit(name: str) -> None:
        while not stop.is_set():
            # An app that is stopped in the middle of an answer breaks it off.
            with suppress(aiohttp.ClientPayloadError):
                status, text = await worker.get(f"{name}.zexio.app")
                if status == 200 and text != f"{name}\n":
                    wrong.append((name, text))
            await asyncio.sleep(0.005)

    async with asyncio.TaskGroup() as visitors:
        for name in ids:
            visitors.create_task(visit(name))
        # The worker starts them again as well, so which of them gets the lower address is a matter of luck: about every third time
        # it is the other one.
        for _turn in range(40):
            await asyncio.to_thread(docker, "stop", "-t", "1", *ids.values())
            await asyncio.to_thread(docker, "start", ids["right"])
            await asyncio.to_thread(docker, "start", ids["left"])
            for name in ids:
                await eventually(lambda name=name: _serves(worker, name))
            after = {name: address_of(container_id) for name, container_id in ids.items()}
            if after != before:
                break
        stop.set()

    assert after != before
    assert wrong == []


async def test_two_workers_on_one_engine_leave_each_other_alone(worker: Worker, tiny_image: str) -> None:
    stranger = docker("run", "-d", "--label", "io.plane.instance=w_other", tiny_image).strip()
    try:
        await create(worker, "alone")
        answer = await worker.commander.ok("POST", "/sync")

        assert answer["orphans_removed"] == 0
        assert inspect(stranger)["State"]["Status"] in {"running", "exited"}
    finally:
        docker("rm", "-f", stranger)


async def test_a_container_of_ours_without_a_project_is_removed(worker: Worker, tiny_image: str) -> None:
    label = f"io.plane.instance={worker.instance}"
    removed = []
    for _turn in range(3):
        docker("create", "--label", label, "--label", "io.plane.project=forgotten", tiny_image)
        removed.append((await worker.commander.ok("POST", "/sync"))["orphans_removed"])
        await eventually(lambda: _has_none(worker))

    # The worker looks by itself too, when it has found its engine and every half a minute, and may come first.
    assert max(removed) == 1


async def _has_none(worker: Worker) -> bool:
    return not await asyncio.to_thread(container_ids, worker.instance)


async def _serves(worker: Worker, name: str) -> bool:
    return (await worker.get(f"{name}.zexio.app"))[0] == 200
