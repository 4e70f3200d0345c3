"""Releases that cannot serve: the old one serves throughout, and the deploy ends in time and says why."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.integration.worker_deploys.conftest import Worker
from tests.integration.worker_deploys.deploying import HEALTHY, create, deploy
from tests.integration.worker_deploys.docker_cli import container_ids

pytestmark = pytest.mark.engine


@dataclass(frozen=True, slots=True)
class Failure:
    """`change` is what the failing deploy has instead; `reason` and `last_words` are parts of what is told."""

    change: dict[str, Any]
    reason: str
    last_words: tuple[str, ...] = field(default=())


SAYS = "echo getting ready; echo no luck >&2; "
SERVES_NOTHING = ["/bin/sh", "-c", SAYS + "exec /bin/busybox sleep 600"]

FAILURES = {
    "unhealthy: answers 404": Failure(
        {"healthcheck": {**HEALTHY, "path": "/missing", "deadline_s": 5}}, "HTTP 404"
    ),
    "unhealthy: never listens": Failure(
        {"command": SERVES_NOTHING, "healthcheck": {**HEALTHY, "deadline_s": 5}},
        "connection refused",
        ("getting ready", "no luck"),
    ),
    "crash at boot": Failure(
        {"command": ["/bin/sh", "-c", SAYS + "exit 3"]}, "exit code 3", ("getting ready", "no luck")
    ),
    "wrong port": Failure(
        {
            "port": 9,
            "command": ["/bin/busybox", "httpd", "-f", "-p", "8080"],
            "healthcheck": {**HEALTHY, "deadline_s": 2},
        },
        "connection refused on port 9",
    ),
    "missing image": Failure({"image": "localhost/no-such-image:7"}, "localhost/no-such-image:7"),
    "no such program": Failure({"command": ["/no/such/program"]}, "exit code 127", ("/no/such/program",)),
}
IN_TIME_S = 40.0
"""Less than the minute that it would have without a deadline of its own."""


async def test_a_release_that_cannot_serve_is_refused_in_time_while_the_old_one_serves(
    worker: Worker, tiny_image: str
) -> None:
    await create(worker, "steady")
    first = await deploy(worker, "steady", tiny_image)
    answers: set[tuple[int, str]] = set()
    loop = asyncio.get_running_loop()

    async def visit() -> None:
        while True:
            answers.add(await worker.get("steady.zexio.app"))
            await asyncio.sleep(0.02)

    visits = asyncio.create_task(visit())
    for name, failure in FAILURES.items():
        started = loop.time()
        body = {"image": tiny_image, "healthcheck": {**HEALTHY, "deadline_s": 5}, **failure.change}
        ended = await deploy(worker, "steady", **body)

        assert ended["status"] == "failed", (name, ended)
        assert loop.time() - started < IN_TIME_S, name
        assert failure.reason in ended["reason"], (name, ended["reason"])
        said = "\n".join(ended["log_tail"])
        assert all(words in said for words in failure.last_words), (name, said)
        assert ended["finished_at"], name
        assert len(container_ids(worker.instance)) == 1, name
    visits.cancel()
    await asyncio.gather(visits, return_exceptions=True)

    assert answers == {(200, "hello\n")}
    project = await worker.commander.ok("GET", "/projects/steady")
    assert (project["status"], project["release"]) == ("running", first["deploy_id"])
