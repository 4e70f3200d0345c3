"""Who may use whose project: two organisations, real containers, the firewall's grants and their life."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.integration.worker_deploys.conftest import Worker, running_worker, worker_variables
from tests.integration.worker_deploys.deploying import HEALTHY
from tests.integration.worker_deploys.docker_cli import container_ids, docker, remove_everything_of
from tests.integration.worker_deploys.running import eventually
from tests.integration.worker_mesh.token_issuer import TokenIssuer

pytestmark = pytest.mark.engine

HOSTS = ("site.zexio.app", "site.zexio.internal", "web.site.zexio.internal", "www.example.org")
SAYS_WHO_CONNECTS = [
    *("/bin/sh", "-c"),
    "echo hello > /www/index.html; exec /bin/busybox httpd -f -vvv -p $PORT -h /www 2>&1",
]


@pytest.fixture
async def issuer() -> AsyncIterator[tuple[TokenIssuer, str]]:
    one = TokenIssuer()
    async with one.serving() as url:
        yield one, url


@pytest.fixture
def variables(
    docker_engine: str, tmp_path: Path, free_port: Callable[[], int], issuer: tuple[TokenIssuer, str]
) -> dict[str, str]:
    return {**worker_variables(docker_engine, tmp_path, free_port), "JWKS_URL": issuer[1]}


async def deploy_private_site(worker: Worker, image: str) -> None:
    project = {"project_id": "site", "org_id": "org_a", "domains": ["www.example.org"]}
    await worker.commander.ok("POST", "/projects", project)
    body = {"image": image, "port": 8080, "healthcheck": HEALTHY, "command": SAYS_WHO_CONNECTS}
    ended = await worker.commander.ok("POST", "/projects/site/deploy?wait=45", body)
    assert ended["status"] == "active", ended


async def answer(worker: Worker, host: str, token: str | None) -> int:
    headers = {"Host": host} | ({} if token is None else {"Authorization": f"Bearer {token}"})
    async with worker.session.get(f"{worker.mesh}/cgi-bin/slow", headers=headers) as response:
        return response.status


async def test_another_organisations_project_is_refused_on_every_name_and_never_connected_to(
    variables: dict[str, str],
    issuer: tuple[TokenIssuer, str],
    session: aiohttp.ClientSession,
    tiny_image: str,
) -> None:
    tokens = issuer[0]
    async with running_worker(variables, session) as worker:
        try:
            await deploy_private_site(worker, tiny_image)
            [container] = container_ids(worker.instance)
            stranger, nobody = tokens.token("org_b"), None

            refused = {
                (host, token is stranger): await answer(worker, host, token)
                for host in HOSTS
                for token in (stranger, nobody)
            }

            assert refused == {
                (host, known): 403 if known else 401 for host in HOSTS for known in (True, False)
            }
            await eventually(lambda: _was_asked_by_health_checks_only(container))
            assert await answer(worker, HOSTS[0], tokens.token("org_a")) == 200
            numbers = (await worker.commander.ok("GET", "/projects/site/stats"))["requests"]
            assert numbers["request_bytes"] == 0
            assert (numbers["total"], numbers["status"]["4xx"], numbers["status"]["2xx"]) == (9, 8, 1)
            assert numbers["response_bytes"] == len("slow\n")
            assert numbers["latency_mean_ms"] >= 1000
        finally:
            remove_everything_of(worker.instance)


async def test_a_grant_lives_and_dies_with_the_change_that_made_it(
    variables: dict[str, str],
    issuer: tuple[TokenIssuer, str],
    session: aiohttp.ClientSession,
    tiny_image: str,
) -> None:
    friend, host = issuer[0].token("org_friend"), "site.zexio.internal"

    async def configure(worker: Worker, **body: Any) -> dict[str, Any]:
        return dict(await worker.commander.ok("POST", "/firewall/configure", body))

    instance = ""
    try:
        async with running_worker(variables, session) as worker:
            instance = worker.instance
            await deploy_private_site(worker, tiny_image)
            assert await answer(worker, host, friend) == 403

            await configure(worker, allowed_tenants={"site": ["org_friend"]}, confirm_within_s=8)
            assert await answer(worker, host, friend) == 200
            await eventually(lambda: _is(worker, host, friend, 403))

            change = await configure(worker, allowed_tenants={"site": ["org_friend"]}, confirm_within_s=60)
            await worker.commander.ok("POST", "/firewall/confirm", {"token": change["token"]})
            unknown = {"allowed_tenants": {"sight": ["org_friend"]}}
            assert (await worker.commander.call("POST", "/firewall/configure", unknown))[0] == 404

        async with running_worker(variables, session) as worker:
            await eventually(lambda: _is(worker, host, friend, 200))
            assert await answer(worker, host, issuer[0].token("org_b")) == 403

            await configure(worker, allowed_tenants={})
            assert await answer(worker, host, friend) == 403
    finally:
        remove_everything_of(instance)


async def _was_asked_by_health_checks_only(container: str) -> bool:
    """One that goes on has connected and not asked yet."""
    seen = await asyncio.to_thread(docker, "logs", container)
    return seen.count(": connected\n") == seen.count(" url:/\n") > 0


async def _is(worker: Worker, host: str, token: str, status: int) -> bool:
    return await answer(worker, host, token) == status
