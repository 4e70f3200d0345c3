"""Real components for the tests: each is started once, on a free port, and stopped at the end."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from blockbuster import BlockBuster, blockbuster_ctx
from hypothesis import settings
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from deploy.native.modules import is_current
from tests import free_ports

# A shared machine may stall any example; tests have their own time limits.
settings.register_profile("platform", deadline=None)
settings.load_profile("platform")

if not is_current():
    pytest.exit(
        "the compiled modules are not of these sources: run `make native`, or `make native-clean` to do without",
        2,
    )

IN_CI = os.environ.get("CI") == "true"


def missing(component: str, how: str) -> None:
    """A missing component fails in CI, where everything must be real; on a developer's machine the test is skipped."""
    sentence = f"{component} is not here: {how}"
    if IN_CI:
        pytest.fail(sentence)
    pytest.skip(sentence)


@pytest.fixture(autouse=True)
def no_blocking_calls_in_the_loop() -> Iterator[BlockBuster]:
    with blockbuster_ctx(["shared", "gateway", "hoster", "worker"]) as blockbuster:
        # The journal's appends go to the page cache by design: that is what makes an event survive the process.
        blockbuster.functions["os.write"].can_block_in("gateway/metering/journal.py", {"append"})
        # Compiled, an append has no frame of its own: those of its callers that are not compiled are named.
        for caller, names in {
            "gateway/metering/recovery.py": {"begin", "take_over", "_end"},
            "gateway/metering/tails.py": {"_adopt"},
            "gateway/processes/relay_parts.py": {"doubt"},
        }.items():
            blockbuster.functions["os.write"].can_block_in(caller, names)
        # So do nonces, and the file of them that is begun every two minutes.
        for name in ("os.write", "os.mkdir", "os.stat", "os.unlink", "os.replace", "io.BufferedWriter.write"):
            blockbuster.functions[name].can_block_in("worker/nonces.py", {"accept"})
        yield blockbuster


@pytest.fixture
def free_port() -> Callable[[], int]:
    return free_ports.free_port


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    program = shutil.which("redis-server")
    if program is None:
        missing("redis-server", "install the package redis-server")
    folder = tmp_path_factory.mktemp("redis")
    port = free_ports.free_port()
    log = (folder / "redis.log").open("wb")
    process = subprocess.Popen(
        [
            str(program),
            "--port",
            str(port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
            "--dir",
            str(folder),
        ],
        stdout=log,
        stderr=log,
    )
    url = f"redis://127.0.0.1:{port}/0"
    with Redis.from_url(url) as client:
        wait_until(lambda: _answers(client))
    yield url
    process.terminate()
    process.wait(60)
    log.close()


@pytest.fixture
def redis_url(redis_server: str) -> str:
    with Redis.from_url(redis_server) as client:
        client.flushall()
    return redis_server


@pytest.fixture(scope="session")
def docker_engine() -> str:
    """The address of a running Docker Engine."""
    address = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    path = Path(address.removeprefix("unix://"))
    if not path.is_socket():
        missing("Docker Engine", f"nothing listens at {address}")
    return address


def _answers(client: Redis) -> bool:
    try:
        return bool(client.ping())
    except (RedisConnectionError, RedisTimeoutError):
        return False


def wait_until(condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "a component did not come up in time"
        time.sleep(0.05)
