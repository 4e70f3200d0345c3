"""Files of real containers: what is shown, and every way out that is refused."""

import shutil
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.worker_deploys.conftest import Worker, session, worker
from tests.integration.worker_deploys.deploying import create, deploy
from tests.integration.worker_deploys.docker_cli import build_image, container_ids, docker

__all__ = ["session", "worker"]

pytestmark = pytest.mark.engine

# Everything is made by the container itself, so that links lead out of its own root if they lead out at all.
MAKE = """\
b=/bin/busybox
$b mkdir -p /data/many /data/deep/er "/data/odd name %2e%2e"
echo hello > /data/hello.txt; $b chmod 0640 /data/hello.txt
echo below > /data/deep/er/below.txt
$b ln -s /etc /data/absolute; $b ln -s ../../../../../../etc /data/climbing; $b ln -s deep /data/inside
$b ln -s absolute /data/twice; $b ln -s loop /data/loop; $b ln -s /proc/1/root /data/proc
$b mkfifo /data/pipe
cd /data/many; i=0; while [ $i -lt 1500 ]; do i=$((i+1)); : > f$i; done
exec $b httpd -f -p $PORT -h /data
"""


@pytest.fixture(scope="session")
def files_image(docker_engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    assert docker_engine
    folder = tmp_path_factory.mktemp("image")
    shutil.copy("/bin/busybox", folder / "busybox")
    (folder / "make").write_text(MAKE)
    (folder / "Dockerfile").write_text(
        'FROM scratch\nCOPY busybox /bin/busybox\nCOPY busybox /bin/sh\nCOPY make /make\nCMD ["/bin/sh", "/make"]\n'
    )
    name = f"localhost/worker-files-test:{uuid.uuid4().hex[:12]}"
    build_image(folder, name)
    yield name
    docker("rmi", "-f", name)


READY = {"path": "/hello.txt", "interval_s": 0.1}


async def ask(worker: Worker, query: str) -> tuple[int, Any]:
    return await worker.commander.call("GET", f"/projects/site/files{query}")


REFUSED = [
    ("?path=..", 422, "invalid_path"),
    ("?path=../etc", 422, "invalid_path"),
    ("?path=/../../etc", 422, "invalid_path"),
    ("?path=%2e%2e/etc", 422, "invalid_path"),
    ("?path=data/%2E%2E/etc", 422, "invalid_path"),
    ("?path=data/..%2f..%2fetc", 422, "invalid_path"),
    ("?path=data%00", 422, "invalid_path"),
    ("?path=data/absolute", 422, "link_not_followed"),
    ("?path=data/absolute/", 422, "link_not_followed"),
    ("?path=data/absolute/.", 422, "link_not_followed"),
    ("?path=data/climbing", 422, "link_not_followed"),
    ("?path=data/climbing/passwd", 422, "link_not_followed"),
    ("?path=data/inside/er", 422, "link_not_followed"),
    ("?path=data/twice", 422, "link_not_followed"),
    ("?path=data/loop", 422, "link_not_followed"),
    ("?path=data/proc/etc", 422, "link_not_followed"),
    ("?path=data/hello.txt", 422, "not_a_folder"),
    ("?path=data/hello.txt/x", 422, "not_a_folder"),
    ("?path=data/pipe", 422, "not_a_folder"),
    ("?path=data/none", 404, "path_not_found"),
    ("?path=%252e%252e/etc", 404, "path_not_found"),
    ("?path=//etc//none", 404, "path_not_found"),
    ("?service=none", 404, "container_gone"),
]


async def test_files_are_listed_and_every_way_out_is_refused(worker: Worker, files_image: str) -> None:
    await create(worker, "site")
    status, answer = await ask(worker, "")
    assert (status, answer["code"]) == (409, "no_release")
    assert (await deploy(worker, "site", files_image, healthcheck=READY))["status"] == "active"

    for query, status, code in REFUSED:
        got, answer = await ask(worker, query)
        assert (got, answer.get("code")) == (status, code), (query, answer)

    status, answer = await ask(worker, "?path=/data/")
    assert (status, answer["path"], answer["truncated"]) == (200, "/data", False)
    names = [item["name"] for item in answer["items"]]
    assert names == sorted(names)
    items = {item["name"]: item for item in answer["items"]}
    assert set(items) == {
        "absolute", "climbing", "deep", "hello.txt", "inside", "loop", "many", "odd name %2e%2e", "pipe", "proc", "twice",
    }  # fmt: skip
    hello = items["hello.txt"]
    assert (hello["size"], hello["is_dir"], hello["mode"], hello["link"]) == (6, False, "0640", None)
    assert hello["mtime"].endswith("Z")
    assert items["deep"]["is_dir"]
    assert items["climbing"]["link"] == "../../../../../../etc"

    assert [item["name"] for item in (await ask(worker, "?path=data/deep/er"))[1]["items"]] == ["below.txt"]
    assert (await ask(worker, "?path=data/odd%20name%20%252e%252e"))[1]["items"] == []
    root = (await ask(worker, "?path=/&service=web"))[1]
    assert {"bin", "data", "make", "proc"} <= {item["name"] for item in root["items"]}
    assert (await ask(worker, "?path=proc"))[1]["items"] == [], (
        "the machine's processes are not files of the release"
    )


async def test_a_huge_folder_is_cut_at_a_thousand_and_a_stopped_release_still_has_files(
    worker: Worker, files_image: str
) -> None:
    await create(worker, "site")
    await deploy(worker, "site", files_image, healthcheck=READY)

    status, answer = await ask(worker, "?path=data/many")

    assert (status, len(answer["items"]), answer["truncated"]) == (200, 1000, True)
    assert [item["name"] for item in answer["items"]] == sorted(f"f{n}" for n in range(1, 1501))[:1000]
    docker("stop", "-t", "1", *container_ids(worker.instance))
    assert (await ask(worker, "?path=data/deep"))[0] == 200
