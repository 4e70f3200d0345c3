"""Two whole workers on one machine with one registry: either is a door to what runs on the other."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest
from redis import Redis

from tests.integration.worker_deploys.conftest import Worker, running_worker, worker_variables
from tests.integration.worker_deploys.deploying import create, deploy
from tests.integration.worker_deploys.docker_cli import remove_everything_of
from tests.integration.worker_deploys.running import eventually

pytestmark = pytest.mark.engine


async def test_either_worker_is_a_door_to_what_runs_on_the_other(
    docker_engine: str,
    tmp_path: Path,
    free_port: Callable[[], int],
    session: aiohttp.ClientSession,
    redis_url: str,
    tiny_image: str,
) -> None:
    here, there = (
        {**worker_variables(docker_engine, tmp_path / name, free_port), "REDIS_URL": redis_url}
        for name in ("here", "there")
    )
    async with running_worker(here, session) as door:
        async with running_worker(there, session) as home:
            try:
                await create(home, "site")
                await eventually(lambda: _answers(door, 503))
                await deploy(home, "site", tiny_image)
                await eventually(lambda: _answers(door, 200))
                assert await door.get("site.zexio.app") == (200, "hello\n")
                await home.commander.ok("POST", "/projects/site/stop")
                await eventually(lambda: _answers(door, 503))
                await home.commander.ok("POST", "/projects/site/start")
                await eventually(lambda: _answers(door, 200))
                numbers = (await home.commander.ok("GET", "/projects/site/stats"))["requests"]
                assert numbers["status"]["2xx"] >= 2
                await home.commander.ok("DELETE", "/projects/site")
                await eventually(lambda: _answers(door, 404))
                await create(home, "site")
                await eventually(lambda: _answers(door, 503))
            finally:
                remove_everything_of(home.instance)
        with Redis.from_url(redis_url) as registry:
            assert await asyncio.to_thread(registry.keys, "service:*") == []
        await eventually(lambda: _answers(door, 404))


async def _answers(door: Worker, status: int) -> bool:
    return (await door.get("site.zexio.app"))[0] == status
