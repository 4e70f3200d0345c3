"""Webhooks become deploys: each push once, the last one last, and nobody else's at all."""

import asyncio
import hashlib
import hmac
import io
import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.worker_deploys.conftest import Worker, building_worker, session, tiny_image
from tests.integration.worker_deploys.deploying import HEALTHY, create, deploy
from tests.integration.worker_deploys.repositories import Repository
from tests.integration.worker_deploys.running import eventually

__all__ = ["building_worker", "session", "tiny_image"]

pytestmark = pytest.mark.engine

SECRET = "the project's own secret"
HOOK = "/projects/app/webhook"
NONE = "0" * 40


@dataclass(slots=True)
class Host:
    """A git host that sends what it has done to one project's webhook."""

    worker: Worker
    secret: str = SECRET
    last: str = NONE

    async def send(self, body: bytes, headers: dict[str, str]) -> tuple[int, Any]:
        url = self.worker.commander.base + HOOK
        async with self.worker.session.post(url, data=io.BytesIO(body), headers=headers) as response:
            return response.status, json.loads(await response.text())

    def signed(self, body: bytes, **headers: str) -> dict[str, str]:
        digest = hmac.new(self.secret.encode(), body, hashlib.sha256).hexdigest()
        return {
            "X-GitHub-Event": "push",
            "X-GitHub-Delivery": str(uuid.uuid4()),
            "X-Hub-Signature-256": f"sha256={digest}",
            "Content-Type": "application/json",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }

    def body(self, after: str, branch: str = "main", **more: Any) -> bytes:
        before, self.last = self.last, after
        return json.dumps({"ref": f"refs/heads/{branch}", "before": before, "after": after, **more}).encode()

    async def push(self, after: str, **more: Any) -> tuple[int, Any]:
        body = self.body(after, **more)
        return await self.send(body, self.signed(body))


@pytest.fixture
def repository(tmp_path: Path, tiny_image: str) -> Repository:
    made = Repository(tmp_path / "repository")
    made.commit({"Dockerfile": f"FROM {tiny_image}\nCOPY page /www/page\n", "page": "first\n"})
    return made


async def begin(worker: Worker, repository: Repository, ref: str = "main") -> Host:
    body = {"project_id": "app", "org_id": "org_a", "visibility": "public", "webhook_secret": SECRET}
    await worker.commander.ok("POST", "/projects", body)
    source = {"git": {"url": repository.url, "ref": ref}, "port": 8080, "healthcheck": HEALTHY}
    ended = await worker.commander.ok("POST", "/projects/app/deploy?wait=45", source)
    assert ended["status"] == "active", ended
    return Host(worker)


async def deploys(worker: Worker) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await worker.commander.ok("GET", "/projects/app/deploys"))["items"]
    return items


async def serves(worker: Worker, page: str) -> None:
    async def is_so() -> bool:
        unfinished = [one for one in await deploys(worker) if one["finished_at"] is None]
        return not unfinished and await worker.get("app.zexio.app", "/page") == (200, page)

    await eventually(is_so, 45)


async def test_a_push_is_deployed_at_its_commit_and_a_repeated_delivery_is_not(
    building_worker: Worker,
    repository: Repository,
) -> None:
    worker = building_worker
    host = await begin(worker, repository)
    pushed = repository.commit({"page": "pushed\n"})
    repository.commit({"page": "not told of yet\n"})
    body = host.body(pushed)
    headers = host.signed(body)

    status, queued = await host.send(body, headers)

    assert (status, queued["status"], queued["commit"]) == (202, "queued", pushed)
    await serves(worker, "pushed\n")
    again = await host.send(body, headers)
    played_back = await host.send(body, {**headers, "X-GitHub-Delivery": str(uuid.uuid4())})
    for status, answer in (again, played_back):
        assert (status, answer["status"], answer["deploy_id"]) == (200, "ignored", queued["deploy_id"])
        assert "received before" in answer["reason"]
    assert len(await deploys(worker)) == 2
    # The branch is still followed, and not the commit that was deployed last.
    newest = repository.commit({"page": "newest\n"})
    assert (await host.push(newest))[0] == 202
    await serves(worker, "newest\n")
    # Hoster may ask for the newest by its own signature.
    signed = worker.commander.signed("POST", HOOK, b"")
    assert (await worker.commander.send("POST", HOOK, b"", signed))[0] == 202
    assert (await worker.commander.send("POST", HOOK, b"", signed))[0] == 401, "a replay"


async def test_a_burst_of_ten_pushes_deploys_the_last(
    building_worker: Worker,
    repository: Repository,
) -> None:
    worker = building_worker
    host = await begin(worker, repository)
    commits = [repository.commit({"page": f"{number}\n"}) for number in range(10)]
    bodies = [host.body(commit) for commit in commits]

    answers = [await host.send(body, host.signed(body)) for body in bodies[:5]]
    # The rest arrives in the wrong order.
    answers += [await host.send(body, host.signed(body)) for body in (*bodies[6:], bodies[5])]

    assert [status for status, _answer in answers[:-1]] == [202] * 9
    assert answers[-1][0] == 200
    assert "later push" in answers[-1][1]["reason"]
    await serves(worker, "9\n")
    assert (await deploys(worker))[0]["status"] == "active"
    # Back to an earlier commit by force is a push like any other.
    assert (await host.push(commits[3]))[0] == 202
    await serves(worker, "3\n")


async def test_what_is_no_business_of_the_project_is_ignored_with_its_reason(
    building_worker: Worker,
    repository: Repository,
) -> None:
    worker = building_worker
    host = await begin(worker, repository)
    commit = "1" * 40
    for body, headers, reason in (
        (b'{"zen":"x"}', {"X_GitHub_Event": "ping"}, "is no push"),
        (host.body(commit, "other"), {}, "follows main, not other"),
        (json.dumps({"ref": "refs/tags/v1", "after": commit}).encode(), {}, "is no branch"),
        (host.body(NONE), {}, "was deleted"),
        (host.body(commit, deleted=True), {}, "was deleted"),
    ):
        status, answer = await host.send(body, host.signed(body, **headers))
        assert (status, answer["status"]) == (200, "ignored"), answer
        assert reason in answer["reason"]
    assert len(await deploys(worker)) == 1


async def test_gitlab_and_gitea_are_understood(
    building_worker: Worker,
    repository: Repository,
) -> None:
    worker = building_worker
    host = await begin(worker, repository, ref="")
    first, second = (repository.commit({"page": f"{name}\n"}) for name in ("gitlab", "gitea"))
    body = host.body(first, project={"default_branch": "main"})
    gitlab = {"X-Gitlab-Token": SECRET, "X-Gitlab-Event": "Push Hook", "X-Gitlab-Event-UUID": "one"}
    assert (await host.send(body, gitlab))[0] == 202
    assert (await host.send(body, gitlab))[0] == 200
    body = host.body(second, repository={"default_branch": "main"})
    digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    gitea = {"X-Gitea-Signature": digest, "X-Gitea-Event": "push", "X-Gitea-Delivery": "two"}
    assert (await host.send(body, gitea))[0] == 202
    await serves(worker, "gitea\n")


async def test_nobody_else_deploys(building_worker: Worker, tiny_image: str) -> None:
    worker = building_worker
    await create(worker, "app")
    host = Host(worker)
    status, answer = await host.push("1" * 40)
    assert (status, answer["code"]) == (403, "no_webhook_secret")
    await worker.commander.ok("DELETE", "/projects/app")
    assert (await host.push("1" * 40))[0] == 404
    body = {"project_id": "app", "org_id": "org_a", "webhook_secret": SECRET, "visibility": "public"}
    await worker.commander.ok("POST", "/projects", body)
    assert (await host.push("1" * 40))[1]["reason"] == "nothing has been deployed yet"
    await deploy(worker, "app", tiny_image)
    assert (await host.push("2" * 40))[1]["reason"] == "the project is not deployed from git"

    octets = host.body("3" * 40)
    stranger = Host(worker, "another secret")
    refused = {
        "missing": {"X-GitHub-Event": "push"},
        "bad": stranger.signed(octets),
        "of another body": host.signed(octets + b" "),
        "token": {"X-Gitlab-Token": "another secret", "X-Gitlab-Event": "Push Hook"},
        "ours, but wrong": worker.commander.with_secret("x" * 32).signed("POST", HOOK, octets),
        "ours, for another path": worker.commander.signed("POST", "/projects/other/webhook", octets),
    }
    for case, headers in refused.items():
        status, answer = await host.send(octets, headers)
        assert (status, answer["code"]) == (401, "invalid_signature"), case
    unreadable = b'{"ref":"refs/heads/main"}'
    status, answer = await host.send(unreadable, host.signed(unreadable))
    assert (status, answer["code"]) == (422, "invalid_webhook")
    assert len(await deploys(worker)) == 1


async def test_a_large_push_is_taken_and_a_huge_one_is_not(
    building_worker: Worker,
    tiny_image: str,
) -> None:
    worker = building_worker
    body = {"project_id": "app", "org_id": "org_a", "webhook_secret": SECRET}
    await worker.commander.ok("POST", "/projects", body)
    host = Host(worker)
    large = host.body("1" * 40, commits=["x" * 100] * 50_000)
    assert (await host.send(large, host.signed(large)))[1]["reason"] == "nothing has been deployed yet"
    huge = b" " * (25 * 1024 * 1024 + 1)
    reader, writer = await asyncio.open_connection("127.0.0.1", int(worker.commander.base.rpartition(":")[2]))
    writer.write(f"POST {HOOK} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(huge)}\r\n\r\n".encode())
    assert b" 413 " in await reader.readline(), "before the body was sent"
    writer.close()
    await writer.wait_closed()
