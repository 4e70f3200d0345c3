"""An engine that is told to end answers for some seconds more: what it says then is not the last word about a build or a start."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from worker.errors import EngineUnavailable
from worker.runtime.docker_engine import DockerEngine
from worker.runtime.engine import BuildFailed, BuildOrder

KILLED = "The command '/bin/sh -c make' returned a non-zero code: 137"
CLOSED = "failed to update store for object type *libnetwork.endpoint: open : no such file or directory"
ORDER = BuildOrder(
    dockerfile="Dockerfile", tag="x:1", labels={}, network="bridge", memory_mb=64, cpu=1.0, pids=10
)


class LastWords:
    """Speaks as Docker 20.10 does while it ends: whether it really goes is the test's to say."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._runner: web.AppRunner | None = None

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[DockerEngine]:
        app = web.Application()
        app.add_routes(
            [
                web.get("/version", self._version),
                web.get("/v1.41/version", self._version),
                web.post("/v1.41/build", self._build),
                web.post("/v1.41/containers/{id}/start", self._start),
            ]
        )
        self._runner = web.AppRunner(app, shutdown_timeout=1)
        await self._runner.setup()
        await web.UnixSite(self._runner, str(self._path)).start()
        engine = DockerEngine(f"unix://{self._path}")
        try:
            yield engine
        finally:
            await engine.close()
            await self.go()

    async def go(self) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _version(self, _request: web.Request) -> web.Response:
        return web.json_response({"ApiVersion": "1.41"})

    async def _build(self, request: web.Request) -> web.Response:
        await request.read()
        return web.Response(text=json.dumps({"error": KILLED}) + "\r\n")

    async def _start(self, _request: web.Request) -> web.Response:
        return web.json_response({"message": CLOSED}, status=500)


async def _context() -> AsyncIterator[bytes]:
    yield b""


async def _build(engine: DockerEngine) -> None:
    async for _message in engine.build(_context(), ORDER):
        pass


async def test_a_step_that_an_engine_kills_before_it_goes_has_not_failed(tmp_path: Path) -> None:
    leaving = LastWords(tmp_path / "engine.sock")
    async with leaving.listening() as engine:
        build = asyncio.create_task(_build(engine))
        await asyncio.sleep(1)
        await leaving.go()

        with pytest.raises(EngineUnavailable):
            await build


async def test_a_step_that_is_killed_while_the_engine_stays_has_failed(tmp_path: Path) -> None:
    async with LastWords(tmp_path / "engine.sock").listening() as engine:
        with pytest.raises(BuildFailed, match="137"):
            await _build(engine)


async def test_a_start_that_an_engine_refuses_because_it_goes_is_tried_again_when_it_is_back(
    tmp_path: Path,
) -> None:
    async with LastWords(tmp_path / "engine.sock").listening() as engine:
        with pytest.raises(EngineUnavailable):
            await engine.start("0" * 64)
