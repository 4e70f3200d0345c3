"""Deployments built from a repository, with a key of their owner's."""

from typing import Any

import pytest

from tests.fakes.hoster_worker import FakeWorker
from tests.integration.hoster.conftest import User

DEPLOYMENTS = "/api/v1/deployments"
KEYS = "/api/v1/ssh_keys"


def _order(**git: Any) -> dict[str, Any]:
    return {"name": "built", "source": {"git": {"ref": "main", **git}, "port": 8080}}


async def test_the_worker_gets_the_private_key_and_the_owner_only_its_id(
    user: User, worker: FakeWorker
) -> None:
    key = (await user.ask("POST", KEYS, {"name": "deploy"})).body
    order = _order(url="git@git.example.com:team/app.git", ssh_key_id=key["id"])
    order["source"]["dockerfile"] = "deploy/Dockerfile"
    made = await user.ask("POST", DEPLOYMENTS, order)
    assert made.status == 202, made.body
    assert made.body["source"] == order["source"]
    running = await user.until(made.body["id"], "running")
    [project] = worker.projects.values()
    [deploy] = project.deploys.values()

    sent = deploy["body"]
    assert sent["git"]["key"].startswith("-----BEGIN OPENSSH PRIVATE KEY-----")
    assert (sent["git"]["url"], sent["git"]["ref"]) == ("git@git.example.com:team/app.git", "main")
    assert (sent["port"], sent["dockerfile"]) == (8080, "deploy/Dockerfile")
    assert "PRIVATE KEY" not in str(running)


async def test_a_key_stays_as_long_as_a_deployment_is_built_with_it(user: User, worker: FakeWorker) -> None:
    key = (await user.ask("POST", KEYS, {"name": "deploy"})).body
    made = await user.ask("POST", DEPLOYMENTS, _order(url="ssh://git@h.example.com/a", ssh_key_id=key["id"]))
    refused = await user.ask("DELETE", f"{KEYS}/{key['id']}")
    assert (refused.status, refused.body["code"]) == (409, "ssh_key_in_use")
    await user.ask("DELETE", f"{DEPLOYMENTS}/{made.body['id']}")
    await user.until_gone(made.body["id"])

    assert (await user.ask("DELETE", f"{KEYS}/{key['id']}")).status == 204


async def test_an_https_repository_needs_no_key(user: User, worker: FakeWorker) -> None:
    made = await user.ask("POST", DEPLOYMENTS, _order(url="https://git.example.com/team/app"))
    await user.until(made.body["id"], "running")
    [project] = worker.projects.values()

    [deploy] = project.deploys.values()
    assert deploy["body"]["git"] == {"url": "https://git.example.com/team/app", "ref": "main"}


async def test_another_users_key_is_no_key(user: User, stranger: User, worker: FakeWorker) -> None:
    key = (await stranger.ask("POST", KEYS, {"name": "theirs"})).body
    refused = await user.ask("POST", DEPLOYMENTS, _order(url="git@h.example.com:a", ssh_key_id=key["id"]))

    assert refused.status == 422
    assert refused.body["errors"][0]["field"] == "source.git.ssh_key_id"
    assert (await user.ask("GET", DEPLOYMENTS)).body["total"] == 0


@pytest.mark.parametrize(
    "source",
    [
        {"port": 80},
        {"git": {"url": "https://h/a", "ref": "main"}, "image": "nginx", "port": 80},
        {"git": {"url": "git@h:a", "ref": "main"}, "port": 80},
        {"git": {"url": "https://h/a", "ref": "main", "ssh_key_id": "sshkey_1"}, "port": 80},
        {"git": {"url": "https://h/a", "ref": "main", "branch": "x"}, "port": 80},
        {"git": {"url": "https://h/a"}, "port": 80},
        {"git": {"url": "https://h/a", "ref": "--x"}, "port": 80},
        {"git": {"url": "https://h/a", "ref": "main"}, "port": 0},
        {"image": "nginx", "port": 80, "dockerfile": "Dockerfile"},
    ],
)
async def test_a_source_that_is_not_exactly_one_is_refused(
    user: User, worker: FakeWorker, source: Any
) -> None:
    assert (await user.ask("POST", DEPLOYMENTS, {"name": "x", "source": source})).status == 422
