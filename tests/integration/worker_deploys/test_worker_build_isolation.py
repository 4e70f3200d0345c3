"""What a build gets of other projects: no image, no step out of the cache, and not the whole machine."""

import asyncio
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.worker_deploys.conftest import Worker
from tests.integration.worker_deploys.deploying import HEALTHY, cancel, create
from tests.integration.worker_deploys.docker_cli import build_image, descendants, docker, inspect
from tests.integration.worker_deploys.registry import Registry
from tests.integration.worker_deploys.repositories import Repository
from tests.integration.worker_deploys.running import eventually

pytestmark = pytest.mark.engine

RANDOM = 'RUN ["/bin/sh", "-c", "/bin/busybox head -c 16 /dev/urandom | /bin/busybox md5sum > /www/random"]'


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


@pytest.fixture
def secret_image(tiny_image: str, tmp_path: Path) -> Iterator[str]:
    """Another project's, without a name: its id."""
    made = _built(
        tmp_path / "secret", "", f"FROM {tiny_image}", 'RUN ["/bin/sh", "-c", "echo hidden > /www/secret"]'
    )
    yield made
    docker("rmi", made)


def _built(folder: Path, name: str, *lines: str) -> str:
    folder.mkdir()
    (folder / "Dockerfile").write_text("\n".join((*lines, "")))
    return build_image(folder, *([name] if name else []))


async def _deploy(worker: Worker, project: str, repository: Repository) -> dict[str, Any]:
    body = {"git": {"url": repository.url}, "port": 8080, "healthcheck": HEALTHY}
    ended: dict[str, Any] = await worker.commander.ok("POST", f"/projects/{project}/deploy?wait=50", body)
    return ended


async def test_a_base_image_whose_trigger_names_another_image_by_its_id_is_refused(
    building_worker: Worker, repository: Repository, tiny_image: str, secret_image: str, tmp_path: Path
) -> None:
    beginning = secret_image.removeprefix("sha256:")[:12]
    lines = (f"FROM {tiny_image}", f"ONBUILD COPY --from={beginning} /www/secret /www/stolen")
    thief = f"localhost/worker-thief:{uuid.uuid4().hex[:12]}"
    _built(tmp_path / "base", thief, *lines)
    repository.commit({"Dockerfile": f"FROM {thief}\n"})
    async with Registry().listening() as registry:
        try:
            await create(building_worker, "app")
            local = await _deploy(building_worker, "app", repository)
            pulled_name = await registry.take(thief, "thief")
        finally:
            docker("rmi", thief)
        repository.commit({"Dockerfile": f"FROM {pulled_name}\n"})
        pulled = await _deploy(building_worker, "app", repository)

    for ended in (local, pulled):
        assert (ended["status"], beginning in ended["reason"]) == ("failed", True), ended
        assert "trigger" in ended["reason"]


async def test_a_trigger_that_harms_nobody_runs_and_its_layers_are_known_to_be_ours(
    building_worker: Worker, repository: Repository, tiny_image: str, tmp_path: Path
) -> None:
    base = f"localhost/worker-onbuild:{uuid.uuid4().hex[:12]}"
    _built(tmp_path / "base", base, f"FROM {tiny_image}", "ONBUILD COPY page /www/page")
    try:
        repository.commit({"Dockerfile": f"FROM {base}\n", "page": "triggered\n"})
        await create(building_worker, "app")

        ended = await _deploy(building_worker, "app", repository)

        assert ended["status"] == "active", ended
        assert await building_worker.get("app.zexio.app", "/page") == (200, "triggered\n")
        await building_worker.commander.ok("DELETE", "/projects/app")
        await eventually(lambda: _is_childless(base))
    finally:
        docker("rmi", base)


@pytest.mark.parametrize("base", ["x/../../containers/json", "x//y", "${NOTHING}"])
async def test_a_build_on_what_is_no_name_fails_at_once(
    building_worker: Worker, repository: Repository, base: str
) -> None:
    repository.commit({"Dockerfile": f"FROM {base}\n"})
    await create(building_worker, "app")

    ended = await _deploy(building_worker, "app", repository)

    assert (ended["status"], base in ended["reason"]) == ("failed", True), ended


async def test_what_was_built_for_a_project_cannot_be_named_by_another(
    building_worker: Worker, repository: Repository, tiny_image: str
) -> None:
    repository.commit({"Dockerfile": f"FROM {tiny_image}\n"})
    await create(building_worker, "app")
    await create(building_worker, "thief", "org_b")
    built = await _deploy(building_worker, "app", repository)
    releases = await building_worker.commander.ok("GET", "/projects/app/releases")
    [name] = inspect(releases["items"][0]["image_id"])["RepoTags"]

    status, refused = await building_worker.commander.call(
        "POST", "/projects/thief/deploy", {"image": name, "port": 8080}
    )
    repository.commit({"Dockerfile": f"FROM {tiny_image}\nCOPY --from={name} /www /stolen\n"})
    copied = await _deploy(building_worker, "thief", repository)

    assert built["deploy_id"] in name
    assert (status, refused["errors"][0]["field"]) == (422, "image")
    assert (copied["status"], name in copied["reason"]) == ("failed", True)


async def test_a_step_is_used_again_by_the_same_project_only(
    building_worker: Worker, repository: Repository, tiny_image: str
) -> None:
    repository.commit({"Dockerfile": f"FROM {tiny_image}\n{RANDOM}\n"})
    await create(building_worker, "app")
    await create(building_worker, "other", "org_b")

    found = []
    for project in ("app", "other", "app", "other"):
        ended = await _deploy(building_worker, project, repository)
        assert ended["status"] == "active", ended
        found.append((await building_worker.get(f"{project}.zexio.app", "/random"))[1])

    assert found[0] == found[2]
    assert found[1] == found[3]
    assert found[0] != found[1]


async def test_a_step_of_a_build_has_its_share_of_the_machine_and_no_more(
    building_worker: Worker, repository: Repository, tiny_image: str
) -> None:
    repository.commit({"Dockerfile": f'FROM {tiny_image}\nRUN ["/bin/busybox", "sleep", "531"]\n'})
    await create(building_worker, "app")
    body = {"git": {"url": repository.url}, "port": 8080}
    begun = await building_worker.commander.ok("POST", "/projects/app/deploy", body)

    async def is_limited() -> bool:
        return [
            (await asyncio.to_thread(inspect, one))["HostConfig"]["PidsLimit"] for one in await _steps()
        ] == [1024]

    await eventually(is_limited)
    [step] = await _steps()
    files = ("/sys/fs/cgroup/pids/pids.max", "/sys/fs/cgroup/pids.max")
    script = f"/bin/busybox cat {' '.join(files)} 2>/dev/null; true"
    in_force = await asyncio.to_thread(docker, "exec", step, "/bin/sh", "-c", script)
    host = inspect(step)["HostConfig"]
    await cancel(building_worker.commander, f"/projects/app/deploys/{begun['deploy_id']}")

    assert in_force.split() == ["1024"]
    assert (host["Memory"], host["MemorySwap"]) == (2 * 1024**3, 2 * 1024**3)
    assert host["CpuQuota"] == 2 * host["CpuPeriod"]
    assert host["NetworkMode"].startswith("plane-")
    assert (host["Privileged"], host["Binds"], host["PortBindings"]) == (False, None, None)


async def _steps() -> list[str]:
    listed = await asyncio.to_thread(docker, "ps", "--no-trunc", "--format", "{{.ID}} {{.Command}}")
    return [line.split()[0] for line in listed.splitlines() if "sleep 531" in line]


async def _is_childless(image: str) -> bool:
    return not await asyncio.to_thread(descendants, image)
