"""An engine that takes calls and never answers: what needs no engine goes on, and says so where it would."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest

from tests.integration.worker_deploys.conftest import Worker, running_worker, worker_variables
from tests.integration.worker_deploys.deploying import create, deploy, status_of
from tests.integration.worker_deploys.docker_cli import remove_everything_of
from tests.integration.worker_deploys.engine_proxy import EngineProxy

pytestmark = pytest.mark.engine


@pytest.fixture
async def proxy(docker_engine: str, tmp_path: Path) -> AsyncIterator[EngineProxy]:
    async with EngineProxy(docker_engine, tmp_path / "engine.sock").listening() as opened:
        yield opened


async def _stats(worker: Worker) -> dict[str, object]:
    async with worker.session.get(f"{worker.commander.base}/stats") as response:
        found: dict[str, object] = await response.json()
        return found


async def test_numbers_records_and_visitors_do_not_wait_for_an_engine_that_hangs(
    proxy: EngineProxy,
    tiny_image: str,
    tmp_path: Path,
    free_port: Callable[[], int],
    session: aiohttp.ClientSession,
) -> None:
    variables = worker_variables(proxy.address, tmp_path / "data", free_port)
    async with running_worker(variables, session) as worker:
        try:
            await create(worker, "site")
            await deploy(worker, "site", tiny_image)
            proxy.answering.clear()

            # Of the fifteen seconds after which the worker gives its engine up.
            async with asyncio.timeout(13):
                numbers, project, served = await asyncio.gather(
                    _stats(worker), worker.commander.ok("GET", "/projects/site"), worker.get("site.zexio.app")
                )

            assert (numbers["projects"], numbers["containers"]) == (1, None)
            assert (project["status"], project["services"][0]["status"]) == ("running", "unknown")
            assert served == (200, "hello\n")
            status, answer = await worker.commander.call("POST", "/projects/site/stop")
            assert (status, answer["code"]) == (503, "engine_unavailable")

            proxy.answering.set()
            assert (await deploy(worker, "site", tiny_image))["status"] == "active"
            assert await status_of(worker, "site") == "running"
        finally:
            proxy.answering.set()
    await asyncio.to_thread(remove_everything_of, worker.instance)
