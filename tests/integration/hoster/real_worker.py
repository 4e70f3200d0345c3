"""A worker as a process of its own, on the real engine, that may be killed and may lose what it knew."""

import asyncio
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from tests.integration.hoster.conftest import JOIN_TOKEN
from tests.integration.worker_deploys.docker_cli import docker, remove_everything_of

NETWORK_POOL = "10.213.0.0/16"
_KEPT = frozenset({"identity.json", "instance"})


class RealWorker:
    def __init__(self, folder: Path, hoster_url: str, docker_host: str, free_port: Callable[[], int]) -> None:
        self.folder = folder
        self.mesh_port = free_port()
        self._process: asyncio.subprocess.Process | None = None
        self._environment = {
            "PATH": os.environ["PATH"],
            "WORKER_DATA_DIR": str(folder),
            "DOCKER_HOST": docker_host,
            "HOSTER_URL": hoster_url,
            "WORKER_JOIN_TOKEN": JOIN_TOKEN,
            "WORKER_HOST": "127.0.0.1",
            "WORKER_PORT": str(free_port()),
            "MESH_HOST": "127.0.0.1",
            "MESH_PORT": str(self.mesh_port),
            "MESH_PUBLIC_SUFFIX": "apps.localhost",
            "WORKER_NETWORK_POOL": NETWORK_POOL,
            "LOG_LEVEL": "error",
        }

    @property
    def instance(self) -> str:
        return (self.folder / "instance").read_text(encoding="ascii").strip()

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "worker", env=self._environment
        )

    async def kill(self) -> None:
        """As `kill -9`: containers go on."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def lose_everything(self) -> None:
        """While it is down: containers, networks and records are gone; it is still the same node."""
        await asyncio.to_thread(self._lose_everything)

    def _lose_everything(self) -> None:
        remove_everything_of(self.instance)
        for path in self.folder.iterdir():
            if path.name not in _KEPT:
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    async def remove_containers(self) -> None:
        """By hand, behind the worker's back."""
        ids = await self.container_ids()
        await asyncio.to_thread(docker, "rm", "-f", *ids)

    async def container_ids(self, *, running_only: bool = True) -> list[str]:
        flags = [] if running_only else ["-a"]
        label = f"--filter=label=io.plane.instance={self.instance}"
        return (await asyncio.to_thread(docker, "ps", "-q", "--no-trunc", *flags, label)).split()

    async def end(self) -> None:
        await self.kill()
        if (self.folder / "instance").exists():
            await asyncio.to_thread(remove_everything_of, self.instance)
