"""What Hoster relies on in a worker, asked of the stand-in that its tests use and of the real one alike."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from hoster.deployments.work import DELETE_DEADLINE_S
from hoster.nodes.model import Worker
from hoster.nodes.worker_client import WorkerClient, WorkerRefused
from shared.clock import SystemClock
from shared.ids import new_id
from tests.fakes.hoster_worker import FakeWorker
from tests.integration.hoster.stand_ins import build
from tests.integration.worker_deploys.agent import Agent
from tests.integration.worker_deploys.commanding import SECRET
from tests.integration.worker_deploys.docker_cli import docker, remove_everything_of

IMAGE = """\
FROM scratch
COPY busybox /bin/busybox
COPY busybox /bin/sh
CMD ["/bin/sh", "-c", "mkdir -p /www; echo up > /www/index.html; exec httpd -f -p 80 -h /www"]
"""
ENDED = {"active", "failed", "cancelled", "superseded"}


@dataclass(frozen=True, slots=True)
class Subject:
    """`break_deploys` makes the stand-in fail as the real one does by itself when a command ends at once."""

    client: WorkerClient
    worker: Worker
    image: str
    break_deploys: Callable[[bool], None]

    async def ask(
        self, method: str, target: str, body: Mapping[str, object] | None = None
    ) -> Mapping[str, Any]:
        """With as much time as Hoster gives to the longest of commands."""
        answer = await self.client.command(self.worker, method, target, body, deadline_s=DELETE_DEADLINE_S)
        return answer.members

    async def refused(self, method: str, target: str, body: Mapping[str, object] | None = None) -> int:
        with pytest.raises(WorkerRefused) as refusal:
            await self.ask(method, target, body)
        return refusal.value.status

    def body(self, key: str, **service: object) -> dict[str, object]:
        web = {
            "image": self.image, "expose": ["80"], "environment": {"A": "$x ${Y}"}, "x-web": True,
            "healthcheck": {"x-path": "/", "x-deadline": "30s"}, **service,
        }  # fmt: skip
        return {"compose": {"services": {"web": web}}, "web": "web", "idempotency_key": key}

    async def ended(self, deploy_id: str) -> Mapping[str, Any]:
        async with asyncio.timeout(40):
            while True:
                deploy = await self.ask("GET", f"/projects/p1/deploys/{deploy_id}")
                if deploy["status"] in ENDED:
                    return deploy
                await asyncio.sleep(0.1)

    async def shows(self, status: str) -> Mapping[str, Any]:
        async with asyncio.timeout(40):
            while True:
                project = await self.ask("GET", "/projects/p1")
                if project["status"] == status:
                    return project
                await asyncio.sleep(0.1)


@pytest.fixture(scope="module")
def image(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    name = build(tmp_path_factory.mktemp("contract") / "image", IMAGE)
    yield name
    docker("rmi", "-f", name)


@pytest.fixture
async def stand_in(session: aiohttp.ClientSession) -> AsyncIterator[Subject]:
    fake = FakeWorker(SECRET, SystemClock())
    await fake.start()

    def break_deploys(broken: bool) -> None:  # noqa: FBT001 - a switch
        fake.fail_deploys_with = "it ended at once" if broken else None

    client = WorkerClient(session, SystemClock(), lambda: new_id("nonce_"))
    yield Subject(client, Worker("node_1", fake.address, SECRET.encode()), "localhost/x:1", break_deploys)
    await fake.stop()


@pytest.fixture
async def real(
    image: str,
    docker_engine: str,
    tmp_path: Path,
    free_port: Callable[[], int],
    session: aiohttp.ClientSession,
) -> AsyncIterator[Subject]:
    agent = Agent(tmp_path, (free_port(), free_port()), session)
    try:
        await agent.start({"WORKER_SECRET": SECRET, "DOCKER_HOST": docker_engine})
        client = WorkerClient(session, SystemClock(), lambda: new_id("nonce_"))
        yield Subject(client, Worker("node_1", agent.base, SECRET.encode()), image, lambda _: None)
    finally:
        agent.remove()
        remove_everything_of(agent.instance)


@pytest.fixture(params=["stand_in", pytest.param("real", marks=[pytest.mark.engine, pytest.mark.slow])])
def subject(request: pytest.FixtureRequest) -> Subject:
    found: Subject = request.getfixturevalue(request.param)
    return found


NEW = {
    "project_id": "p1", "org_id": "o1", "name": "n", "visibility": "public",
    "limits": {"cpu": 0.5, "memory_mb": 64, "disk_mb": 64},
}  # fmt: skip


async def _deployed(subject: Subject) -> str:
    await subject.ask("POST", "/projects", NEW)
    begun = await subject.ask("POST", "/projects/p1/deploy", subject.body("key-1"))
    deploy = await subject.ended(begun["deploy_id"])
    assert deploy["status"] == "active", deploy
    assert {"name", "started_at", "finished_at", "detail"} <= set(deploy["steps"][0])
    return str(begun["deploy_id"])


@pytest.mark.timeout(180)
async def test_a_project_lives_and_ends_as_hoster_expects(subject: Subject) -> None:
    deploy_id = await _deployed(subject)
    assert await subject.refused("POST", "/projects", NEW) == 409
    await subject.ask("POST", "/projects/p1/visibility", {"visibility": "private"})
    project = await subject.shows("running")
    assert (project["org_id"], project["visibility"], project["release"]) == ("o1", "private", deploy_id)
    assert [service["name"] for service in project["services"]] == ["web"]
    assert project["services"][0]["started_at"]

    await subject.ask("POST", "/projects/p1/stop")
    assert (await subject.shows("stopped"))["release"] == deploy_id
    await subject.ask("POST", "/projects/p1/start")
    await subject.shows("running")
    listed = (await subject.ask("GET", "/projects?limit=200"))["items"]
    assert [one["project_id"] for one in listed] == ["p1"]
    await subject.ask("DELETE", "/projects/p1?volumes=delete")
    assert await subject.refused("GET", "/projects/p1") == 404


@pytest.mark.timeout(180)
async def test_releases_are_made_kept_and_run_again_as_hoster_expects(subject: Subject) -> None:
    first = await _deployed(subject)
    again = await subject.ask("POST", "/projects/p1/deploy", subject.body("key-1"))
    assert again["deploy_id"] == first
    [release] = (await subject.ask("GET", "/projects/p1/releases"))["items"]
    assert release["release_id"] == first
    image = release["images"]["web"]
    assert (image["image"], image["digest"]) == (subject.image, None)

    subject.break_deploys(True)  # noqa: FBT003 - a switch
    body = subject.body("key-2", command=["/bin/sh", "-c", "exit 1"])
    broken = await subject.ask("POST", "/projects/p1/deploy", body)
    failed = await subject.ended(broken["deploy_id"])
    assert failed["status"] == "failed"
    assert failed["reason"]
    assert (await subject.shows("running"))["release"] == first
    subject.break_deploys(False)  # noqa: FBT003 - a switch

    assert await subject.refused("POST", "/projects/p1/deploy", subject.body("key-3", privileged=True)) == 422
    unknown = {"release": "never", "idempotency_key": "key-4"}
    assert await subject.refused("POST", "/projects/p1/deploy", unknown) == 404
    same = {"release": first, "idempotency_key": "key-5"}
    rolled = await subject.ask("POST", "/projects/p1/deploy", same)
    assert (await subject.ended(rolled["deploy_id"]))["status"] == "active"
    assert (await subject.shows("running"))["release"] == rolled["deploy_id"]
    listed = (await subject.ask("GET", "/projects/p1/deploys"))["items"]
    assert [deploy["deploy_id"] for deploy in listed] == [rolled["deploy_id"], broken["deploy_id"], first]
    assert await subject.refused("GET", "/projects/p1/deploys/never") == 404
