"""`kill -9` while a source is fetched or built: no process, container, file or layer of it is left, and the deploy goes on."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.worker_deploys.agent import ROOT, Agent
from tests.integration.worker_deploys.commanding import SECRET
from tests.integration.worker_deploys.deploying import HEALTHY, cancel
from tests.integration.worker_deploys.docker_cli import (
    build_image,
    container_ids,
    descendants,
    docker,
    inspect,
    network_ids,
)
from tests.integration.worker_deploys.repositories import Repository, key_pair, ssh_server
from tests.integration.worker_deploys.running import eventually

pytestmark = pytest.mark.engine

LOCAL = {"WORKER_SECRET": SECRET, "WORKER_ALLOW_LOCAL_GIT": "1"}


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


async def _create(agent: Agent) -> None:
    await agent.commander.ok(
        "POST", "/projects", {"project_id": "app", "org_id": "org_a", "visibility": "public"}
    )


async def _deploy(agent: Agent, url: str, **git: Any) -> str:
    body = {"git": {"url": url, **git}, "port": 8080, "healthcheck": HEALTHY}
    return str((await agent.commander.ok("POST", "/projects/app/deploy", body))["deploy_id"])


async def _shown(agent: Agent, deploy_id: str) -> dict[str, Any]:
    shown: dict[str, Any] = await agent.commander.ok("GET", f"/projects/app/deploys/{deploy_id}")
    return shown


@asynccontextmanager
async def _silent_server() -> AsyncIterator[int]:
    """Takes connections and says nothing; its port."""
    ended = asyncio.Event()

    async def wait(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await ended.wait()
        writer.close()

    server = await asyncio.start_server(wait, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        ended.set()
        server.close()
        await server.wait_closed()


def _commands() -> dict[int, str]:
    found = {}
    for process in Path("/proc").iterdir():
        try:
            found[int(process.name)] = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (ValueError, OSError):
            continue
    return found


async def test_a_fetch_that_was_going_on_is_ended_by_the_next_agent(agent: Agent, tiny_image: str) -> None:
    assert tiny_image
    async with _silent_server() as port:

        def fetching() -> set[int]:
            return {pid for pid, command in _commands().items() if f"127.0.0.1:{port}/" in command}

        async def is_fetching() -> bool:
            return len(await asyncio.to_thread(fetching)) >= 2

        await agent.start(LOCAL)
        await _create(agent)
        deploy_id = await _deploy(agent, f"http://127.0.0.1:{port}/x.git")
        await eventually(is_fetching)
        first = await asyncio.to_thread(fetching)

        agent.kill()
        await agent.start(LOCAL)

        async def is_fetching_anew() -> bool:
            return bool(await asyncio.to_thread(fetching) - first)

        await eventually(is_fetching_anew)
        assert not first & await asyncio.to_thread(fetching)
        assert await cancel(agent.commander, f"/projects/app/deploys/{deploy_id}") == "cancelled"
        assert await asyncio.to_thread(fetching) == set()
    assert list((agent.folder / "data" / "sources" / "work").iterdir()) == []


async def test_a_build_that_was_going_on_is_begun_again_and_leaves_nothing(
    agent: Agent, repository: Repository, tiny_image: str
) -> None:
    slow = 'RUN ["/bin/sh", "-c", "echo first > /www/first"]\nRUN ["/bin/sh", "-c", "/bin/busybox sleep 4.71; echo done > /www/page"]'
    repository.commit({"Dockerfile": f"FROM {tiny_image}\n{slow}\n"})
    before = descendants(tiny_image)
    await agent.start(LOCAL)
    await _create(agent)
    deploy_id = await _deploy(agent, repository.url)

    async def is_building() -> bool:
        return "Step 3" in str((await _shown(agent, deploy_id))["log_tail"])

    await eventually(is_building)
    agent.kill()
    await agent.start(LOCAL)

    async def is_active() -> bool:
        return (await _shown(agent, deploy_id))["status"] == "active"

    await eventually(is_active)
    async with agent.session.get(f"{agent.mesh}/page", headers={"Host": "app.zexio.app"}) as response:
        assert await response.text() == "done\n"
    assert len(container_ids(agent.instance)) == 1
    assert "sleep 4.71" not in await asyncio.to_thread(
        docker, "ps", "-a", "--no-trunc", "--format", "{{.Command}}"
    )
    await agent.commander.ok("DELETE", "/projects/app")

    async def is_clean() -> bool:
        return await asyncio.to_thread(descendants, tiny_image) == before

    # At the latest with the next look at everything, every half a minute.
    await eventually(is_clean, 45)
    assert (container_ids(agent.instance), network_ids(agent.instance)) == ([], [])


async def test_a_layer_that_nobody_lived_to_record_goes_with_those_below_it(
    agent: Agent, repository: Repository, tiny_image: str, tmp_path: Path
) -> None:
    repository.commit({"Dockerfile": f"FROM {tiny_image}\nENV ONE=1\nENV TWO=2\n"})
    before = descendants(tiny_image)
    await agent.start(LOCAL)
    await _create(agent)
    deploy_id = await _deploy(agent, repository.url)

    async def is_active() -> bool:
        return (await _shown(agent, deploy_id))["status"] == "active"

    await eventually(is_active)
    [container] = container_ids(agent.instance)
    layer = inspect(inspect(container)["Image"])["Parent"]
    (tmp_path / "late").mkdir()
    (tmp_path / "late" / "Dockerfile").write_text(f"FROM {layer}\nENV LATE=1\n")
    late = build_image(tmp_path / "late")
    assert late in descendants(tiny_image)

    await agent.commander.ok("DELETE", "/projects/app")

    async def is_clean() -> bool:
        return await asyncio.to_thread(descendants, tiny_image) == before

    await eventually(is_clean, 45)


async def test_a_deploy_key_is_found_wherever_the_data_folder_is_named_from(
    agent: Agent, repository: Repository, tiny_image: str, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    repository.commit({"Dockerfile": f"FROM {tiny_image}\n"})
    private, public = key_pair(tmp_path)
    port = free_port()
    await agent.start({**LOCAL, "WORKER_DATA_DIR": _relative(tmp_path / "data")})
    await _create(agent)

    with ssh_server(tmp_path / "sshd", port, public):
        deploy_id = await _deploy(agent, f"ssh://root@localhost:{port}{repository.bare}", key=private)

        async def has_ended() -> bool:
            return (await _shown(agent, deploy_id))["finished_at"] is not None

        await eventually(has_ended)
    ended = await _shown(agent, deploy_id)
    assert ended["status"] == "active", ended


def _relative(path: Path) -> str:
    """To where the agent is started."""
    return os.path.relpath(path, ROOT)
