"""One data folder, one worker."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence

import pytest

from tests.integration.worker_deploys.agent import ROOT, Agent
from tests.integration.worker_deploys.commanding import SECRET

pytestmark = pytest.mark.engine


async def test_a_second_worker_on_the_same_folder_is_refused_before_it_touches_anything(
    agent: Agent, free_port: Callable[[], int]
) -> None:
    await agent.start()
    checkout = agent.folder / "data" / "sources" / "work" / "dpl_1"
    checkout.mkdir(parents=True)
    environment = {
        "WORKER_SECRET": SECRET,
        "WORKER_DATA_DIR": str(agent.folder / "data"),
        "WORKER_PORT": str(free_port()),
        "MESH_PORT": str(free_port()),
        "WORKER_ISOLATE_HOST": "0",
    }

    commands: tuple[list[str], ...] = ([], ["evacuate"])
    for command in commands:
        second = await asyncio.to_thread(_worker, command, environment)
        assert second.returncode == 2
        assert second.stderr == f"worker: {agent.folder / 'data'} is in use by another worker\n"
    assert checkout.exists()

    agent.kill()
    await agent.start()
    assert not checkout.exists(), "a worker that was killed has left the folder to the next"


def _worker(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "worker", *command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
