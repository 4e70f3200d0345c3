"""The same journey against `make up`: three containers and Redis, nothing but the door and the mesh published."""

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from tests.e2e import journeys
from tests.e2e.platform_process import ROOT
from tests.free_ports import free_port

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(600)]

PROJECT = "platform-test"


@dataclass(frozen=True)
class Containers:
    url: str
    mesh_port: int


@pytest.fixture(scope="module")
def containers(docker_engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containers]:
    gateway, mesh = free_port(), free_port()
    environment = {
        **os.environ,
        "COMPOSE_PROJECT_NAME": PROJECT,
        "PLATFORM_DATA_DIR": str(tmp_path_factory.mktemp("containers")),
        "GATEWAY_PORT": str(gateway),
        "MESH_PORT": str(mesh),
    }
    try:
        up = subprocess.run(
            ["make", "up"],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )
        assert up.returncode == 0, up.stdout + up.stderr
        yield Containers(f"http://127.0.0.1:{gateway}", mesh)
    finally:
        down = subprocess.run(
            ["make", "down"],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        _remove_volumes()
    assert down.returncode == 0, down.stdout + down.stderr
    assert _running() == []


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=90)) as session:
        yield session


def test_only_the_door_and_the_mesh_are_published(containers: Containers) -> None:
    port = int(containers.url.rsplit(":", 1)[1])
    published = {
        int(binding["HostPort"])
        for name in _running()
        for bindings in json.loads(_docker("inspect", "-f", "{{json .NetworkSettings.Ports}}", name)).values()
        for binding in bindings or ()
    }

    assert published == {port, containers.mesh_port}


async def test_the_customers_journey_is_the_same(containers: Containers, http: aiohttp.ClientSession) -> None:
    await journeys.from_sign_up_to_a_metered_deletion(http, containers.url, containers.mesh_port)


async def test_a_private_app_is_as_private(containers: Containers, http: aiohttp.ClientSession) -> None:
    await journeys.a_private_app_is_for_its_organisation_only(http, containers.url, containers.mesh_port)


async def test_the_limits_hold_through_redis(containers: Containers, http: aiohttp.ClientSession) -> None:
    async with asyncio.timeout(60):
        while (told := (await _health(http, containers.url))["counters"]) == "unavailable":
            await asyncio.sleep(0.2)  # Redis was late for what came before
    assert told == "redis"
    await journeys.a_burst_meets_the_rate_limit(http, containers.url)


async def _health(http: aiohttp.ClientSession, url: str) -> Any:
    async with http.get(f"{url}/health") as response:
        return await response.json()


def _docker(*arguments: str) -> str:
    return subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, check=True, timeout=60
    ).stdout


def _running() -> list[str]:
    return _docker("ps", "-q", "--filter", f"label=com.docker.compose.project={PROJECT}").split()


def _remove_volumes() -> None:
    for name in _docker(
        "volume", "ls", "-q", "--filter", f"label=com.docker.compose.project={PROJECT}"
    ).split():
        _docker("volume", "rm", name)
