"""Deploying from a git repository, built by the real engine."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestServer

from tests.integration.worker_deploys.conftest import Worker
from tests.integration.worker_deploys.deploying import HEALTHY, cancel, create, deploy
from tests.integration.worker_deploys.docker_cli import (
    build_image,
    container_ids,
    descendants,
    docker,
    inspect,
)
from tests.integration.worker_deploys.hardened import assert_hardened
from tests.integration.worker_deploys.repositories import Repository, key_pair, smart_http, ssh_server
from tests.integration.worker_deploys.running import eventually
from worker.runtime import labels

pytestmark = pytest.mark.engine


def dockerfile(image: str, *steps: str) -> str:
    return "\n".join((f"FROM {image}", "COPY page /www/page", *steps, ""))


@pytest.fixture
def repository(tmp_path: Path, tiny_image: str) -> Repository:
    made = Repository(tmp_path / "repository")
    made.commit({"Dockerfile": dockerfile(tiny_image), "page": "one\n"})
    return made


@pytest.fixture
def foreign_image(tiny_image: str, tmp_path: Path) -> Iterator[str]:
    """Somebody else's image without a name, and the layer below it, on the same base."""
    folder = tmp_path / "foreign"
    folder.mkdir()
    (folder / "Dockerfile").write_text(f"FROM {tiny_image}\nENV FOREIGN=1\nENV DANGLING=1\n")
    made = build_image(folder)
    yield made
    docker("rmi", made)


async def deploy_git(worker: Worker, project: str, url: str, **more: Any) -> dict[str, Any]:
    source = {"url": url, **more.pop("git", {})}
    body = {"git": source, "port": 8080, "healthcheck": HEALTHY, **more}
    ended: dict[str, Any] = await worker.commander.ok("POST", f"/projects/{project}/deploy?wait=45", body)
    return ended


async def test_branches_tags_and_commits_are_built_and_shown(
    building_worker: Worker, repository: Repository
) -> None:
    worker = building_worker
    first = repository.commit({"page": "tagged\n"})
    repository.tag("v1")
    newest = repository.commit({"page": "newest\n"})
    await create(worker, "app")

    for ref, page, commit in (
        ("", "newest\n", newest),
        ("main", "newest\n", newest),
        ("v1", "tagged\n", first),
        (first, "tagged\n", first),
    ):
        ended = await deploy_git(worker, "app", repository.url, git={"ref": ref})
        assert ended["status"] == "active", ended
        assert await worker.get("app.zexio.app", "/page") == (200, page)
        releases = await worker.commander.ok("GET", "/projects/app/releases")
        assert releases["items"][0]["revision"] == commit

    [container] = container_ids(worker.instance)
    image = inspect(inspect(container)["Image"])
    assert image["Config"]["Labels"][labels.PROJECT] == "app"
    assert image["Id"] == releases["items"][0]["image_id"]
    events = await worker.commander.ok("GET", "/projects/app/events?limit=200")
    assert any("Step 1/" in event["message"] for event in events["items"] if event["type"] == "build_output")


async def test_a_failed_build_leaves_the_old_release_and_shows_its_last_lines(
    building_worker: Worker, repository: Repository, tiny_image: str
) -> None:
    worker = building_worker
    await create(worker, "app")
    await deploy_git(worker, "app", repository.url)
    assert_hardened(container_ids(worker.instance)[0])
    script = 'RUN ["/bin/sh", "-c", "echo compiling; echo missing semicolon >&2; exit 7"]'
    repository.commit({"Dockerfile": dockerfile(tiny_image, script)})

    failed = await deploy_git(worker, "app", repository.url)

    assert failed["status"] == "failed"
    assert "returned a non-zero code: 7" in failed["reason"]
    assert {"compiling", "missing semicolon"} <= set(failed["log_tail"])
    assert await worker.get("app.zexio.app", "/page") == (200, "one\n")
    assert docker("ps", "-aq", "--filter", "status=exited", "--filter", f"ancestor={tiny_image}") == ""

    # Every project's images are on the engine, which takes the beginning of an id for a name.
    beginning = inspect(tiny_image)["Id"].removeprefix("sha256:")[:12]
    repository.commit({"Dockerfile": dockerfile(beginning)})
    of_others = await deploy_git(worker, "app", repository.url)
    assert (of_others["status"], beginning in of_others["reason"]) == ("failed", True)


async def test_a_build_can_be_cancelled(
    building_worker: Worker, repository: Repository, tiny_image: str
) -> None:
    worker = building_worker
    await create(worker, "app")
    repository.commit(
        {"Dockerfile": dockerfile(tiny_image, 'RUN ["/bin/sh", "-c", "echo busy; /bin/busybox sleep 50"]')}
    )
    body = {"git": {"url": repository.url}, "port": 8080}
    begun = await worker.commander.ok("POST", "/projects/app/deploy", body)
    path = f"/projects/app/deploys/{begun['deploy_id']}"

    async def is_building() -> bool:
        return "Step 3" in str((await worker.commander.ok("GET", path))["log_tail"])

    await eventually(is_building)

    assert await cancel(worker.commander, path) == "cancelled"
    building = f"label={labels.INSTANCE}={worker.instance}"
    assert docker("ps", "-q", "--filter", building) == ""
    await eventually(lambda: _no_build_runs(tiny_image))


async def test_git_over_http_is_pinned_and_runs_no_hooks_or_submodules(
    building_worker: Worker, repository: Repository, tmp_path: Path, tiny_image: str
) -> None:
    worker = building_worker
    repository.link("outside", "/etc/passwd")
    commit = repository.commit(
        {
            ".gitmodules": '[submodule "x"]\n\tpath = x\n\turl = http://127.0.0.1:1/x.git\n',
            ".gitattributes": "* filter=evil\n",
            ".dockerignore": "secret*\n",
            "secret.txt": "hidden",
            "deploy/Dockerfile": dockerfile(tiny_image, "COPY . /www/all/"),
        }
    )
    async with TestServer(smart_http(repository.bare.parent)) as server:
        url = f"http://localhost:{server.port}/app.git"
        await create(worker, "app")
        refused = await deploy_git(worker, "app", url, dockerfile="missing/Dockerfile")
        ended = await deploy_git(worker, "app", url, dockerfile="deploy/Dockerfile")

    assert (refused["status"], refused["reason"]) == ("failed", "The source has no file missing/Dockerfile.")
    assert ended["status"] == "active", ended
    assert commit in ended["steps"][0]["detail"]
    assert await worker.get("app.zexio.app", "/all/page") == (200, "one\n")
    assert (await worker.get("app.zexio.app", "/all/secret.txt"))[0] == 404
    [container] = container_ids(worker.instance)
    assert docker("exec", container, "/bin/busybox", "readlink", "/www/all/outside") == "/etc/passwd\n"
    left = await asyncio.to_thread(lambda: list((tmp_path / "data" / "sources" / "work").iterdir()))
    assert left == []


async def test_a_deploy_key_opens_a_repository_over_ssh_and_a_changed_host_key_closes_it(
    building_worker: Worker, repository: Repository, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    worker = building_worker
    private, public = key_pair(tmp_path)
    port = free_port()
    url = f"ssh://root@localhost:{port}{repository.bare}"
    await create(worker, "app")

    with ssh_server(tmp_path / "first", port, public):
        without = await deploy_git(worker, "app", url)
        ended = await deploy_git(worker, "app", url, git={"key": private})
    with ssh_server(tmp_path / "second", port, public):
        changed = await deploy_git(worker, "app", url, git={"key": private})

    assert (without["status"], ended["status"], changed["status"]) == ("failed", "active", "failed")
    assert "Host key verification failed" in str(changed["log_tail"])
    shown = str(await worker.commander.ok("GET", f"/projects/app/deploys/{ended['deploy_id']}"))
    assert "PRIVATE KEY" not in shown
    assert not await asyncio.to_thread(_files_holding, tmp_path / "data", private.splitlines()[2].encode())


async def test_a_name_inside_our_own_network_is_refused_when_it_is_looked_up(
    worker: Worker, tiny_image: str
) -> None:
    await create(worker, "app")

    failed = await deploy_git(worker, "app", "https://localhost/x.git")

    assert failed["status"] == "failed"
    assert "not on the public Internet" in failed["reason"]


SENSELESS: list[tuple[dict[str, object], str]] = [
    ({"image": "3f", "port": 1}, "image name"),
    ({"image": "sha256:3f", "port": 1}, "image name"),
    ({"image": "x/../../containers/json", "port": 1}, "image name"),
    ({"git": {"url": "ext::sh -c id"}, "port": 1}, "must"),
    ({"git": {"url": "https://user:token@example.org/x.git"}, "port": 1}, "deploy key"),
    ({"git": {"url": "--upload-pack=x"}, "port": 1}, "must begin"),
    ({"git": {"url": "https://example.org/x", "ref": "--output=x"}, "port": 1}, "branch"),
    ({"git": {"url": "https://example.org/x", "ref": "a:b"}, "port": 1}, "branch"),
    ({"git": {"url": "https://example.org/x"}, "port": 1, "dockerfile": "../x"}, "inside"),
    ({"git": {"url": "https://example.org/x", "key": "secret"}, "port": 1}, "private key"),
    ({"git": {"url": "https://example.org/x"}}, "needs port"),
    ({"git": {"url": "https://example.org/x"}, "image": "x", "port": 1}, "exactly one"),
    ({"git": {"url": "https://example.org/x"}, "port": 1, "command": "x"}, "does not go with"),
    ({"archive_url": "ftp://example.org/x", "sha256": "0" * 64, "port": 1}, "must begin"),
    ({"archive_url": "https://example.org/x", "port": 1}, "needs sha256"),
    ({"git": {"url": "https://127.0.0.1/x.git"}, "port": 1}, "public Internet"),
    ({"git": {"url": "https://169.254.169.254/latest"}, "port": 1}, "public Internet"),
    ({"git": {"url": "https://[::ffff:10.0.0.1]/x.git"}, "port": 1}, "public Internet"),
    ({"git": {"url": "git@10.1.2.3:x/y.git"}, "port": 1}, "public Internet"),
    ({"git": {"url": "ssh://git@[fe80::1]/x.git"}, "port": 1}, "public Internet"),
    ({"git": {"url": "http://203.0.114.1/x.git"}, "port": 1}, "https"),
    ({"git": {"url": "file:///etc"}, "port": 1}, "https"),
    ({"archive_url": "http://example.org/x", "sha256": "0" * 64, "port": 1}, "https"),
    ({"archive_url": "https://169.254.169.254/x", "sha256": "0" * 64, "port": 1}, "public Internet"),
]


async def test_a_source_that_makes_no_sense_is_refused_at_once(worker: Worker) -> None:
    await create(worker, "app")

    for body, word in SENSELESS:
        status, answer = await worker.commander.call("POST", "/projects/app/deploy", body)

        assert (status, answer["code"]) == (422, "invalid_body"), body
        assert word in str(answer["errors"]), body
    assert (await worker.commander.ok("GET", "/projects/app/deploys"))["items"] == []


async def test_a_rollback_runs_what_was_built_then_with_the_variables_of_then(
    building_worker: Worker, repository: Repository
) -> None:
    worker = building_worker
    await create(worker, "app")
    await worker.commander.ok("POST", "/projects/app/env", {"env": {"TEXT": "old text"}})
    first = await deploy_git(worker, "app", repository.url)
    repository.commit({"page": "two\n"})
    await worker.commander.ok("POST", "/projects/app/env", {"env": {"TEXT": "new text"}})
    await deploy_git(worker, "app", repository.url)
    assert await worker.get("app.zexio.app") == (200, "new text\n")

    back = await worker.commander.ok("POST", "/projects/app/deploy?wait=45", {"release": first["deploy_id"]})

    assert back["status"] == "active", back
    assert await worker.get("app.zexio.app", "/page") == (200, "one\n")
    assert await worker.get("app.zexio.app") == (200, "old text\n")
    await create(worker, "other")
    stolen = await worker.commander.call("POST", "/projects/other/deploy", {"release": first["deploy_id"]})
    assert (stolen[0], stolen[1]["code"]) == (404, "unknown_release")


async def test_images_beyond_the_last_five_releases_go_and_foreign_ones_stay(
    building_worker: Worker, repository: Repository, tiny_image: str, foreign_image: str
) -> None:
    worker = building_worker
    foreign = descendants(tiny_image)
    assert foreign_image in foreign
    await create(worker, "app")
    await deploy(worker, "app", tiny_image)
    layers = 0
    for turn in range(7):
        repository.commit({"page": f"{turn}\n"})
        ended = await deploy_git(worker, "app", repository.url)
        assert ended["status"] == "active"
        await eventually(lambda turn=turn: _has_images(worker, min(turn + 1, 5)), 30)
        if turn < 5:
            layers = len(descendants(tiny_image))
        else:
            # The layers go after the images that stand on them.
            await eventually(lambda layers=layers: _has_layers(tiny_image, layers), 30)

    assert len((await worker.commander.ok("GET", "/projects/app/releases"))["items"]) == 5
    await worker.commander.ok("DELETE", "/projects/app")

    async def is_clean() -> bool:
        return descendants(tiny_image) == foreign

    await eventually(is_clean, 60)


async def _has_images(worker: Worker, count: int) -> bool:
    ours = f"--filter=label={labels.INSTANCE}={worker.instance}"
    return len((await asyncio.to_thread(docker, "images", "-q", ours)).split()) == count


async def _has_layers(image: str, count: int) -> bool:
    return len(await asyncio.to_thread(descendants, image)) == count


async def _no_build_runs(image: str) -> bool:
    return "sleep 50" not in await asyncio.to_thread(docker, "ps", "--no-trunc", "--format", "{{.Command}}")


def _files_holding(folder: Path, octets: bytes) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file() and octets in file.read_bytes()]
