"""Joining Hoster and staying in touch, against a real HTTP server that plays Hoster."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from shared.signature import HEADER, Command, verify
from tests.integration.worker_deploys.agent import ROOT, Agent
from tests.integration.worker_deploys.running import eventually

TOKEN = "join-once"


class PlayedHoster:
    """Accepts one join with TOKEN, and knows that worker again; checks the signature of each heartbeat."""

    def __init__(self) -> None:
        self.url = ""
        self.unanswered: list[asyncio.Event] = []
        """Joins that are accepted and then not answered; each says when it was."""
        self.joins: list[dict[str, Any]] = []
        self.heartbeats: list[dict[str, Any]] = []

    async def join(self, request: web.Request) -> web.Response:
        body = await request.json()
        known = not self.joins or body["secret"] == self.joins[0]["secret"]
        if body["token"] != TOKEN or not known:
            return web.json_response({"code": "invalid_join_token"}, status=401)
        self.joins.append(body)
        if self.unanswered:
            self.unanswered.pop().set()
            await asyncio.Event().wait()
        return web.json_response({"node_id": "node_1", "secret": body["secret"]}, status=201)

    @property
    def secret(self) -> str:
        return str(self.joins[0]["secret"])

    async def heartbeat(self, request: web.Request) -> web.Response:
        octets = await request.read()
        command = Command(request.method, request.raw_path, octets)
        now = time.time()  # noqa: TID251 - the worker's clock is the machine's
        verify(self.secret.encode(), request.headers[HEADER], command, now)
        assert request.headers["X-Node-ID"] == "node_1"
        self.heartbeats.append(json.loads(octets))
        return web.json_response({})


@pytest.fixture
async def hoster() -> AsyncIterator[PlayedHoster]:
    played = PlayedHoster()
    app = web.Application()
    app.add_routes(
        [web.post("/nodes/v1/join", played.join), web.post("/nodes/v1/heartbeat", played.heartbeat)]
    )
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    played.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield played
    await runner.cleanup()


async def test_a_worker_with_a_token_joins_by_itself_and_is_then_commanded_with_its_new_secret(
    agent: Agent, hoster: PlayedHoster
) -> None:
    variables = {"HOSTER_URL": hoster.url, "WORKER_JOIN_TOKEN": TOKEN}
    await agent.start(variables)
    await eventually(lambda: _has(lambda: bool(hoster.heartbeats)))

    [join] = hoster.joins
    assert join["address"] == agent.base
    assert join["capacity"]["cpu_cores"] == os.cpu_count()
    assert join["capacity"]["memory_mb"] > 100
    assert hoster.heartbeats[0]["used"]["memory_mb"] > 0
    identity = agent.folder / "data" / "identity.json"
    assert identity.stat().st_mode & 0o777 == 0o600
    commander = agent.commander.with_secret(hoster.secret)
    assert (await commander.call("GET", "/projects"))[0] == 200

    assert await agent.stop() == 0
    assert hoster.secret not in agent.log.read_text()
    assert TOKEN not in agent.log.read_text()
    hoster.heartbeats.clear()
    await agent.start(variables)
    await eventually(lambda: _has(lambda: bool(hoster.heartbeats)))
    assert len(hoster.joins) == 1


async def test_a_worker_that_is_killed_before_it_hears_that_it_has_joined_is_the_same_node_afterwards(
    agent: Agent, hoster: PlayedHoster
) -> None:
    accepted = asyncio.Event()
    hoster.unanswered.append(accepted)
    variables = {"HOSTER_URL": hoster.url, "WORKER_JOIN_TOKEN": TOKEN}
    await agent.start(variables)
    async with asyncio.timeout(45):
        await accepted.wait()
    agent.kill()
    assert not (agent.folder / "data" / "identity.json").exists()

    await agent.start(variables)
    await eventually(lambda: _has(lambda: bool(hoster.heartbeats)))

    assert [join["secret"] for join in hoster.joins] == [hoster.secret] * 2
    assert len(hoster.secret) == 64
    assert not (agent.folder / "data" / "joining.json").exists()


@pytest.mark.engine
async def test_no_heartbeat_says_that_the_engine_does_not_answer_before_it_was_asked(
    agent: Agent, hoster: PlayedHoster, docker_engine: str
) -> None:
    variables = {"HOSTER_URL": hoster.url, "WORKER_JOIN_TOKEN": TOKEN, "DOCKER_HOST": docker_engine}
    for _start in range(3):  # the first time it joins before that, and hears of the engine meanwhile
        await agent.start(variables)
        await eventually(lambda: _has(lambda: bool(hoster.heartbeats)))
        agent.kill()
        assert {beat["engine"] for beat in hoster.heartbeats} == {"ok"}
        hoster.heartbeats.clear()

    await agent.start({**variables, "DOCKER_HOST": f"unix://{agent.folder}/no-engine.sock"})
    await eventually(lambda: _has(lambda: bool(hoster.heartbeats)))
    assert hoster.heartbeats[0]["engine"] == "unavailable"


async def test_join_by_hand_reads_the_token_from_standard_input_and_refuses_a_used_one(
    hoster: PlayedHoster, tmp_path: Path
) -> None:
    def join(folder: str, token: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "worker", "join", "--hoster", hoster.url, "--token", "-"],
            cwd=ROOT,
            env={**os.environ, "WORKER_DATA_DIR": str(tmp_path / folder)},
            input=f"{token}\n",
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    joined = await asyncio.to_thread(join, "first", TOKEN)
    used = await asyncio.to_thread(join, "second", TOKEN)
    again = await asyncio.to_thread(join, "first", TOKEN)

    assert (joined.returncode, joined.stdout) == (0, "joined as node_1\n")
    assert json.loads((tmp_path / "first" / "identity.json").read_text())["secret"] == hoster.secret
    assert used.returncode == 1
    assert "token" in used.stderr
    assert again.returncode == 2
    assert not (tmp_path / "second" / "identity.json").exists()


def test_without_any_secret_the_worker_refuses_to_start(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "worker"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "WORKER_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert "WORKER_SECRET" in line


async def _has(condition: Callable[[], bool]) -> bool:
    return condition()
