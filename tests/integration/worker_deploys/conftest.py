"""The tiny image, and a worker on the real engine."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from shared.clock import SystemClock
from tests.integration.worker_deploys.agent import Agent
from tests.integration.worker_deploys.commanding import SECRET, Commander
from tests.integration.worker_deploys.docker_cli import remove_everything_of, remove_with_descendants
from tests.integration.worker_deploys.running import eventually
from tests.integration.worker_deploys.tiny_image import build_tiny
from worker.config import Config
from worker.logs.system import SystemLogs
from worker.platform import Installation
from worker.projects.environment import load_key
from worker.runtime.instance import load_instance
from worker.service import Startup, serve
from worker.services.catalog import load_catalog


@pytest.fixture(scope="session")
def tiny_image(docker_engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    assert docker_engine
    name = f"localhost/worker-deploys-test:{uuid.uuid4().hex[:12]}"
    build_tiny(tmp_path_factory.mktemp("tiny") / "image", name)
    yield name
    remove_with_descendants(name)


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector) as opened:
        yield opened


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker in this process. `mesh` is the base URL of its mesh."""

    commander: Commander
    mesh: str
    instance: str
    session: aiohttp.ClientSession

    async def get(self, host: str, path: str = "/") -> tuple[int, str]:
        async with self.session.get(self.mesh + path, headers={"Host": host}) as response:
            return response.status, await response.text()


def worker_variables(docker_host: str, folder: Path, free_port: Callable[[], int]) -> dict[str, str]:
    return {
        "WORKER_SECRET": SECRET,
        "WORKER_DATA_DIR": str(folder),
        "DOCKER_HOST": docker_host,
        "WORKER_HOST": "127.0.0.1",
        "WORKER_PORT": str(free_port()),
        "MESH_HOST": "127.0.0.1",
        "MESH_PORT": str(free_port()),
        "WORKER_ISOLATE_HOST": "0",
        "JWKS_URL": "http://127.0.0.1:1/none",
    }


@asynccontextmanager
async def running_worker(
    variables: Mapping[str, str], session: aiohttp.ClientSession
) -> AsyncIterator[Worker]:
    config = Config.from_env(variables)
    await asyncio.to_thread(config.data_dir.mkdir, exist_ok=True)
    installation = Installation(
        instance=await asyncio.to_thread(load_instance, config.data_dir),
        environment_key=await asyncio.to_thread(load_key, config.data_dir),
        catalog=await asyncio.to_thread(load_catalog, config.catalog),
    )
    clock = SystemClock()
    startup = Startup(
        config=config,
        installation=installation,
        identity=None,
        system_logs=SystemLogs(clock),
        clock=clock,
    )
    stop = asyncio.Event()
    base = f"http://127.0.0.1:{config.port}"
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(serve(startup, stop))
        await eventually(lambda: _answers(session, base))
        yield Worker(
            Commander(session, base), f"http://127.0.0.1:{config.mesh_port}", installation.instance, session
        )
        stop.set()


async def _answers(session: aiohttp.ClientSession, base: str) -> bool:
    try:
        async with session.get(f"{base}/health") as response:
            return await response.text() == "OK"
    except aiohttp.ClientError:
        return False


@pytest.fixture
async def worker(
    docker_engine: str, tmp_path: Path, free_port: Callable[[], int], session: aiohttp.ClientSession
) -> AsyncIterator[Worker]:
    variables = worker_variables(docker_engine, tmp_path, free_port)
    async with running_worker(variables, session) as started:
        yield started
    remove_everything_of(started.instance)


@pytest.fixture
async def agent(
    docker_engine: str, tmp_path: Path, free_port: Callable[[], int], session: aiohttp.ClientSession
) -> AsyncIterator[Agent]:
    assert docker_engine
    process = Agent(tmp_path, (free_port(), free_port()), session)
    yield process
    process.remove()
    remove_everything_of(process.instance)


@pytest.fixture
async def building_worker(
    docker_engine: str, tmp_path: Path, free_port: Callable[[], int], session: aiohttp.ClientSession
) -> AsyncIterator[Worker]:
    """A worker that may fetch sources from this machine."""
    variables = worker_variables(docker_engine, tmp_path / "data", free_port)
    async with running_worker({**variables, "WORKER_ALLOW_LOCAL_GIT": "1"}, session) as started:
        yield started
    remove_everything_of(started.instance)
