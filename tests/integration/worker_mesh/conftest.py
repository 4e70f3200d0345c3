"""A tiny image that the tests build themselves, and what talks to containers of it."""

import shutil
import uuid
from collections.abc import AsyncIterator, Callable, Iterator

import aiohttp
import pytest

from tests.integration.worker_deploys.docker_cli import build_image
from tests.integration.worker_mesh.containers import Containers, docker
from tests.integration.worker_mesh.peer_nodes import Pair, pair_of_nodes
from tests.integration.worker_mesh.stoppable_redis import StoppableRedis
from worker.streams.engine import DockerSource


@pytest.fixture(scope="session")
def busybox_image(docker_engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    assert docker_engine
    folder = tmp_path_factory.mktemp("image")
    shutil.copy("/bin/busybox", folder / "busybox")
    (folder / "Dockerfile").write_text(
        'FROM scratch\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "--install", "-s", "/bin"]\n'
    )
    name = f"localhost/worker-mesh-test:{uuid.uuid4().hex[:12]}"
    build_image(folder, name)
    yield name
    docker("rmi", "-f", name)


@pytest.fixture
def containers(busybox_image: str) -> Iterator[Containers]:
    made = Containers(busybox_image)
    yield made
    made.remove_all()


@pytest.fixture
async def source(docker_engine: str, containers: Containers) -> AsyncIterator[DockerSource]:
    engine = DockerSource(docker_engine, containers.instance)
    yield engine
    await engine.close()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    # No cookies, no pool: each stream of a test is a connection of its own.
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(connector=connector, read_bufsize=2**20) as session:
        yield session


@pytest.fixture
async def pair(redis_url: str, http: aiohttp.ClientSession) -> AsyncIterator[Pair]:
    async with pair_of_nodes(redis_url, http) as nodes:
        yield nodes


@pytest.fixture
async def stoppable_redis(redis_server: str, free_port: Callable[[], int]) -> AsyncIterator[StoppableRedis]:
    server = StoppableRedis(free_port())
    await server.start()
    yield server
    await server.end()
