"""A catalogue of images that the tests build: a server that lets in who knows the password, and apps that use it."""

import shutil
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from tests.integration.worker_deploys.agent import Agent
from tests.integration.worker_deploys.commanding import SECRET
from tests.integration.worker_deploys.conftest import Worker, running_worker, session, worker_variables
from tests.integration.worker_deploys.docker_cli import build_image, docker, remove_everything_of
from worker.runtime import labels

__all__ = ["session"]

DOCKERFILE = """\
FROM scratch
COPY busybox /bin/busybox
COPY busybox /bin/sh
COPY serve ask let-in /bin/
COPY www /www
CMD ["/bin/sh", "/bin/ask"]
"""
# One line in: the password. One line out.
LET_IN = """\
read password
if [ "$password" = "$VAULT_PASSWORD" ]; then
  echo visit >> /vault/visits
  echo "welcome $VAULT_USER: $(/bin/busybox wc -l < /vault/visits)"
else
  echo "go away"
fi
"""
SERVE = """\
trap 'exit 0' TERM
if [ -n "$BROKEN" ]; then echo "cannot start with $VAULT_PASSWORD"; exit 3; fi
/bin/busybox nc -ll -p 7000 -e /bin/sh /bin/let-in &
wait
"""
# vault://user:password@host:port -> the server's answer, at /.
ASK = """\
without=${VAULT_URL#vault://*:}; password=${without%@*}; place=${without#*@}; host=${place%:*}; port=${place#*:}
address=$(/bin/busybox nslookup "$host" 127.0.0.11 | /bin/busybox awk '/^Address/ && !/127.0.0.11/ {print $NF}' | /bin/busybox tail -1)
answer=$(echo "$password" | /bin/busybox nc -w 15 "${address%%:7000}" "$port")
echo "${answer:-no answer}" > /www/index.html
exec /bin/busybox httpd -f -p $PORT -h /www
"""


def vault(image: str, **more: Any) -> dict[str, Any]:
    """An entry of the catalogue."""
    return {
        "title": "Vault",
        "versions": {"1": image, "2": image},
        "port": 7000,
        "volume": "/vault",
        "command": ["/bin/sh", "/bin/serve"],
        "environment": {"VAULT_USER": "{user}", "VAULT_PASSWORD": "{password}"},
        "variable": "VAULT_URL",
        "url": "vault://{user}:{password}@{host}:{port}",
        "health": {
            "test": ["CMD", "/bin/sh", "-c", 'echo "$VAULT_PASSWORD" | /bin/busybox nc -w 10 127.0.0.1 7000'],
            "interval_s": 0.5,
            "timeout_s": 15,
            "retries": 2,
        },
        "limits": {"cpu": 0.5, "memory_mb": 32, "pids": 32},
        **more,
    }


@pytest.fixture(scope="session")
def vault_image(docker_engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Both ends: the server by `serve`, the app by default."""
    assert docker_engine
    folder = tmp_path_factory.mktemp("image")
    shutil.copy("/bin/busybox", folder / "busybox")
    for name, script in (("serve", SERVE), ("ask", ASK), ("let-in", LET_IN)):
        (folder / name).write_text(script)
    (folder / "www").mkdir()
    (folder / "Dockerfile").write_text(DOCKERFILE)
    name = f"localhost/worker-services-test:{uuid.uuid4().hex[:12]}"
    build_image(folder, name)
    yield name
    docker("rmi", "-f", name)


@pytest.fixture
def catalog(vault_image: str, tmp_path: Path) -> Path:
    entries: Mapping[str, Any] = {
        "vault": vault(vault_image),
        "broken": vault(
            vault_image,
            environment={"VAULT_PASSWORD": "{password}", "BROKEN": "1"},
        ),
        "nowhere": vault("localhost/no-such-image:1"),
    }
    path = tmp_path / "catalog.yaml"
    path.write_text(yaml.safe_dump(entries, sort_keys=False))
    return path


def volumes_of(instance: str) -> list[str]:
    return docker("volume", "ls", "-q", f"--filter=label={labels.INSTANCE}={instance}").split()


def remove_all(instance: str) -> None:
    remove_everything_of(instance)
    volumes = volumes_of(instance)
    if volumes:
        docker("volume", "rm", "-f", *volumes)


@pytest.fixture
async def worker(
    docker_engine: str,
    catalog: Path,
    tmp_path: Path,
    free_port: Callable[[], int],
    session: aiohttp.ClientSession,
) -> AsyncIterator[Worker]:
    variables = worker_variables(docker_engine, tmp_path / "data", free_port)
    async with running_worker({**variables, "WORKER_CATALOG": str(catalog)}, session) as started:
        yield started
    remove_all(started.instance)


@pytest.fixture
async def agent(
    docker_engine: str,
    catalog: Path,
    tmp_path: Path,
    free_port: Callable[[], int],
    session: aiohttp.ClientSession,
) -> AsyncIterator[Agent]:
    assert docker_engine
    variables = {"WORKER_SECRET": SECRET, "WORKER_CATALOG": str(catalog)}
    process = Agent(tmp_path, (free_port(), free_port()), session, variables=variables)
    yield process
    process.remove()
    remove_all(process.instance)
