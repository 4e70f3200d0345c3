"""The node under `tests.bench.operations`: a worker that keeps the contract, or a real worker process on a real engine."""

import asyncio
import json
import os
import tempfile
from collections import Counter
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import aiodocker
import aiohttp

from deploy.images.hello.build import ensure_hello_image
from shared.clock import Clock
from tests.free_ports import free_port
from tests.integration.hoster.conftest import JOIN_TOKEN, beat, has_one_online, join_worker
from tests.integration.worker_deploys.agent import Agent
from worker.runtime import labels

APP_DOMAIN = "apps.localhost"

_JOINED_WITHIN_S = 60.0
_ENGINE_SETTLES_IN_S = 90.0
_GONE_ALREADY = frozenset({404, 409})


class Node(Protocol):
    """One node of a Hoster, and what can happen to it. Projects are named by their ids.

    `clock_tolerance_s` is how far Hoster's clock may be ahead of the node's, with its signatures still accepted.
    """

    clock_tolerance_s: float

    async def begin(self, hoster_url: str, session: aiohttp.ClientSession, clock: Clock) -> None:
        """It has joined, and Hoster may place on it."""

    async def go_away(self) -> None:
        """No harm when it is away already."""

    async def come_back(self) -> None:
        """It answers, and Hoster has heard of it as soon as it does by itself. No harm when it was not away."""

    async def lose_everything(self) -> None:
        """Away or not, it stays so; and it is the same node still."""

    async def heal(self) -> None:
        """It is there, and from now on does what it is told."""

    async def differing(self, runs: Mapping[str, bool]) -> list[str]:
        """Those of the projects that run here and should not, or should and do not."""

    async def left(self, keeping: Collection[str]) -> list[str]:
        """Everything that it has still, but for the volumes of the projects in `keeping`."""

    async def end(self) -> None:
        """No harm when it never began."""


class StandIn:
    """Told by `worker` to fail deploys or to take its time."""

    clock_tolerance_s = float("inf")

    async def begin(self, hoster_url: str, session: aiohttp.ClientSession, clock: Clock) -> None:
        self._hoster_url, self._session = hoster_url, session
        self.worker = await join_worker(hoster_url, session)
        self.worker.clock = clock
        self._away = False

    async def go_away(self) -> None:
        await self.worker.stop()
        self._away = True

    async def come_back(self) -> None:
        if self._away:
            await self.worker.start()
        self._away = False
        await beat(self._hoster_url, self._session, self.worker)

    async def lose_everything(self) -> None:
        self.worker.projects.clear()

    async def heal(self) -> None:
        self.worker.fail_deploys_with, self.worker.deploy_s = None, 0.0
        await self.come_back()

    async def differing(self, runs: Mapping[str, bool]) -> list[str]:
        shown = {name for name, project in self.worker.projects.items() if project.status == "running"}
        return [project for project, up in runs.items() if (project in shown) != up]

    async def left(self, keeping: Collection[str]) -> list[str]:
        return sorted(self.worker.projects)

    async def end(self) -> None:
        if hasattr(self, "worker"):
            await self.worker.stop()


class RealNode:
    """A worker process of its own. What runs there is seen with the engine's eyes and a visitor's, never with the worker's."""

    clock_tolerance_s = 45.0

    def __init__(self) -> None:
        self._scratch = tempfile.TemporaryDirectory()
        self._folder = Path(self._scratch.name)
        self._up = False

    @property
    def log(self) -> str:
        """What the worker has said so far."""
        return self._worker.log.read_text(errors="replace") if hasattr(self, "_worker") else ""

    async def begin(self, hoster_url: str, session: aiohttp.ClientSession, clock: Clock) -> None:
        address = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
        self._engine = aiodocker.Docker(url=address)
        await ensure_hello_image(self._engine, self._folder / "busybox")
        self._session = session
        variables = {
            "DOCKER_HOST": address,
            "HOSTER_URL": hoster_url,
            "WORKER_JOIN_TOKEN": JOIN_TOKEN,
            "MESH_PUBLIC_SUFFIX": APP_DOMAIN,
        }
        self._worker = Agent(self._folder, (free_port(), free_port()), session, variables=variables)
        await self.come_back()
        async with asyncio.timeout(_JOINED_WITHIN_S):
            while not await has_one_online(hoster_url, session):
                await asyncio.sleep(0.1)

    async def go_away(self) -> None:
        """As `kill -9` does; its containers go on."""
        if self._up:
            self._up = False
            await asyncio.to_thread(self._worker.kill)

    async def come_back(self) -> None:
        if not self._up:
            await self._worker.start()
            self._up = True

    async def lose_everything(self) -> None:
        was_up = self._up
        await self.go_away()
        await self._clear()
        if was_up:
            await self.come_back()

    async def lose_containers(self, project: str) -> None:
        """Somebody removes them by hand, while the worker may be about to do the same."""
        for container in await self._containers(project):
            try:
                await self._engine.containers.container(container["Id"]).delete(force=True)
            except aiodocker.DockerError as error:
                if error.status not in _GONE_ALREADY:
                    raise

    async def heal(self) -> None:
        await self.come_back()

    async def differing(self, runs: Mapping[str, bool]) -> list[str]:
        """One that runs has exactly one container, and answers."""
        running = Counter(
            container["Labels"].get(labels.PROJECT)
            for container in await self._containers()
            if container["State"] == "running"
        )
        return [
            project
            for project, up in runs.items()
            if running[project] != int(up) or await self._answers(project) != up
        ]

    async def left(self, keeping: Collection[str]) -> list[str]:
        ours = {"label": [f"{labels.INSTANCE}={self._worker.instance}"]}
        networks = await self._engine.networks.list(filters=ours)
        volumes = (await self._engine.volumes.list(filters=ours))["Volumes"] or []
        return [
            *(f"container {container['Names']}" for container in await self._containers()),
            *(f"network {network['Name']}" for network in networks),
            *(
                f"volume {volume['Name']}"
                for volume in volumes
                if volume["Labels"].get(labels.PROJECT) not in keeping
            ),
        ]

    async def end(self) -> None:
        if hasattr(self, "_worker"):
            self._worker.remove()
            await self._clear()
        if hasattr(self, "_engine"):
            await self._engine.close()
        self._scratch.cleanup()

    async def _clear(self) -> None:
        """The engine may still be carrying out what the killed worker had asked for: then it refuses, or makes one more."""
        if not (self._folder / "data" / "instance").exists():
            return
        async with asyncio.timeout(_ENGINE_SETTLES_IN_S):
            while True:
                with suppress(AssertionError):
                    await asyncio.to_thread(self._worker.lose_everything)
                if not await self.left(keeping=()):
                    return
                await asyncio.sleep(0.2)

    async def _containers(self, project: str = "") -> list[Any]:
        marks = [f"{labels.INSTANCE}={self._worker.instance}"]
        if project:
            marks.append(f"{labels.PROJECT}={project}")
        listed = await self._engine.containers.list(all=1, filters=json.dumps({"label": marks}))
        return [container._container for container in listed]

    async def _answers(self, project: str) -> bool:
        headers = {"Host": f"{project}.{APP_DOMAIN}"}
        try:
            async with self._session.get(f"{self._worker.mesh}/", headers=headers) as response:
                return response.status == 200
        except aiohttp.ClientError:
            return False
