import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.integration.hoster.conftest import IDENTITY_SECRET, JOIN_TOKEN, User, eventually, join_worker


@pytest.fixture
def spawn(tmp_path: Path, free_port: Any) -> Any:
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "IDENTITY_SECRET": IDENTITY_SECRET,
        "HOSTER_DATA_DIR": str(tmp_path / "data"),
        "HOSTER_PORT": str(port),
        "HOSTER_JOIN_TOKEN": JOIN_TOKEN,
    }

    async def start(**changes: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "hoster", env={**environment, **changes}, stderr=asyncio.subprocess.PIPE
        )

    start.base_url = f"http://127.0.0.1:{port}"
    return start


async def _listening(process: Any) -> None:
    async with asyncio.timeout(15):
        while b"listening" not in await process.stderr.readline():
            assert process.returncode is None


async def _killed(process: Any) -> None:
    if process.returncode is None:
        process.kill()
    await process.communicate()


async def test_a_create_is_finished_after_kill_minus_nine(spawn: Any, session: aiohttp.ClientSession) -> None:
    process = await spawn()
    worker = None
    try:
        await _listening(process)
        worker = await join_worker(spawn.base_url, session)
        worker.deploy_s = 2
        user = User(spawn.base_url, session)
        template = (await user.ask("GET", "/api/v1/templates?q=hello")).body["items"][0]["id"]
        created = await user.ask("POST", "/api/v1/deployments", {"name": "x", "template_id": template})

        async def is_deploying() -> bool:
            return any(project.deploys for project in worker.projects.values())

        await eventually(is_deploying, 10)
        process.kill()
        await process.communicate()

        process = await spawn()
        await _listening(process)
        await user.until(created.body["id"], "running")
        project = next(iter(worker.projects.values()))
        assert len(project.deploys) == 1, "the resumed job must find the deploy that it began"
        assert (await user.ask("GET", "/api/v1/billing/events")).body["total"] == 1

        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(5):
            assert await process.wait() == 0
    finally:
        await _killed(process)
        if worker is not None:
            await worker.stop()


@pytest.mark.parametrize("secret", ["", "short"])
async def test_without_a_good_identity_secret_it_says_why_and_does_not_start(spawn: Any, secret: str) -> None:
    process = await spawn(IDENTITY_SECRET=secret, HOSTER_PORT="http")
    async with asyncio.timeout(15):
        _, said = await process.communicate()

    assert process.returncode == 2
    assert b"IDENTITY_SECRET" in said
    assert b"HOSTER_PORT" in said
    assert b"Traceback" not in said


async def test_a_database_without_its_key_is_refused(spawn: Any, tmp_path: Path) -> None:
    process = await spawn()
    await _listening(process)
    await _killed(process)
    (tmp_path / "data" / "secrets.key").unlink()

    process = await spawn()
    async with asyncio.timeout(15):
        _, said = await process.communicate()
    assert process.returncode == 2
    assert b"restore the key" in said
