"""The worker as a process of its own, to be killed."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import aiohttp

from tests.integration.worker_deploys.commanding import SECRET, Commander
from tests.integration.worker_deploys.docker_cli import remove_everything_of

ROOT = Path(__file__).parents[3]


_ITSELF = frozenset({"identity.json", "instance"})
"""What makes a node the same node."""


class Agent:
    """One data folder, started as often as a test likes. `variables` are given at each start, unless that has its own; without them the worker
    has not joined anything.
    """

    def __init__(
        self,
        folder: Path,
        ports: tuple[int, int],
        session: aiohttp.ClientSession,
        *,
        host: str = "127.0.0.1",
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.base = f"http://127.0.0.1:{ports[0]}"
        self.mesh = f"http://127.0.0.1:{ports[1]}"
        self.commander = Commander(session, self.base)
        self.log = folder / "agent.log"
        self.session = session
        self._variables = {
            "WORKER_DATA_DIR": str(folder / "data"),
            "WORKER_HOST": host,
            "WORKER_PORT": str(ports[0]),
            "MESH_HOST": host,
            "MESH_PORT": str(ports[1]),
            "WORKER_ISOLATE_HOST": "0",
            "JWKS_URL": "http://127.0.0.1:1/none",
        }
        self._given = {"WORKER_SECRET": SECRET} if variables is None else dict(variables)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def instance(self) -> str:
        return (self.folder / "data" / "instance").read_text()

    async def start(self, variables: Mapping[str, str] | None = None) -> None:
        given = self._given if variables is None else variables
        environment = {**os.environ, **self._variables, **given}
        with self.log.open("ab") as log:
            self._process = await asyncio.to_thread(
                subprocess.Popen, [sys.executable, "-m", "worker"], cwd=ROOT, env=environment, stderr=log
            )
        async with asyncio.timeout(45):
            while not await self._answers():
                assert self._process.poll() is None, self.log.read_text()
                await asyncio.sleep(0.1)

    def kill(self) -> None:
        """As a crash does."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)

    async def stop(self) -> int:
        """The exit status after SIGTERM."""
        assert self._process is not None
        self._process.terminate()
        return await asyncio.to_thread(self._process.wait, 40)

    def lose_everything(self) -> None:
        """While it is down: containers, networks and records are gone; it is still the same node."""
        remove_everything_of(self.instance)
        for path in (self.folder / "data").iterdir():
            if path.name not in _ITSELF:
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def remove(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(10)

    async def _answers(self) -> bool:
        try:
            async with self.session.get(f"{self.base}/health") as response:
                return await response.text() == "OK"
        except aiohttp.ClientError:
            return False
