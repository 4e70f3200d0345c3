"""`python -m tests.bench.worker_crashes [--short]`: the agent is killed at every step of a deploy, and its engine restarted.

Needs root. It has a network and a Docker Engine of its own. After each harm it waits until every deploy has ended, one container runs
and is the right one, and visitors get its answer; the time runs from when the agent (or the engine) is started again. The bound is 10 s, in short,
beside other tests, a minute.
"""

import asyncio
import os
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from tests.bench.private_machine import PrivateEngine, leave_the_network, private_engine
from tests.bench.table import line, table
from tests.integration.worker_deploys.agent import Agent
from tests.integration.worker_deploys.commanding import SECRET
from tests.integration.worker_deploys.docker_cli import container_ids, docker
from tests.integration.worker_deploys.running import eventually
from tests.integration.worker_deploys.tiny_image import build_tiny

BOUND_S = 10.0
PATIENCE_S = 60.0
STEPS = ("queued", "preparing", "creating", "starting", "checking", "switching", "draining", "active")
SHORT_STEPS = ("creating", "draining")
ENDED = frozenset({"active", "failed", "cancelled", "superseded"})
IMAGE = "localhost/crash-bench:1"
TRIES = 8


@dataclass(frozen=True, slots=True)
class Recovery:
    """`status` is what became of the deploy. `seconds` None: not within a minute."""

    harm: str
    status: str
    seconds: float | None

    def is_good(self, bound_s: float) -> bool:
        return self.seconds is not None and self.seconds < bound_s


class Scene:
    """One project with a release that serves; `text` is what it serves."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self.text = "0"
        self._turn = 0

    async def start_agent(self) -> None:
        await self.agent.start({"WORKER_SECRET": SECRET, "WORKER_ISOLATE_HOST": "1"})

    async def begin(self) -> None:
        project = {"project_id": "site", "org_id": "org_a", "visibility": "public"}
        await self.agent.commander.ok("POST", "/projects", project)
        await self.deploy()
        await self.converge()

    async def deploy(self) -> str:
        """A new release with a text of its own; the deploy's id."""
        self._turn += 1
        env = {"env": {"TEXT": str(self._turn)}}
        await self.agent.commander.ok("POST", "/projects/site/env", env)
        body = {"image": IMAGE, "port": 8080, "healthcheck": {"path": "/", "interval_s": 0.1}}
        return str((await self.agent.commander.ok("POST", "/projects/site/deploy", body))["deploy_id"])

    async def converge(self) -> None:
        """Returns when everything is as it should be after the last deploy."""
        await eventually(self._is_settled, PATIENCE_S)

    async def _is_settled(self) -> bool:
        items = (await self.agent.commander.ok("GET", "/projects/site/deploys"))["items"]
        project = await self.agent.commander.ok("GET", "/projects/site")
        if any(deploy["status"] not in ENDED for deploy in items) or project["status"] != "running":
            return False
        instance = self.agent.instance
        everything = await asyncio.to_thread(container_ids, instance)
        running = await asyncio.to_thread(container_ids, instance, running_only=True)
        served = str(self._turn) if items[0]["status"] == "active" else self.text
        if len(everything) != 1 or running != everything or await self.get() != f"{served}\n":
            return False
        self.text = served
        return True

    async def status(self, deploy_id: str) -> str:
        answer = await self.agent.commander.ok("GET", f"/projects/site/deploys/{deploy_id}")
        return str(answer["status"])

    async def get(self, path: str = "/") -> str:
        headers = {"Host": "site.zexio.app"}
        async with self.agent.session.get(self.agent.mesh + path, headers=headers) as response:
            return await response.text()

    async def keep_busy(self) -> None:
        """Slow requests, so that there is something to drain."""
        while True:
            try:
                await self.get("/cgi-bin/slow")
            except aiohttp.ClientError:
                return


async def killed_at(scene: Scene, step: str) -> Recovery:
    """Again and again until the agent was killed in exactly this step: some last milliseconds."""
    for _try in range(TRIES):
        if await _kill_at(scene, step):
            break
        await scene.start_agent()
        await scene.converge()
    else:
        return Recovery(f"kill -9 in {step}", "never hit", None)
    newest = _newest(scene.agent)
    seconds = await _timed(scene, scene.start_agent)
    status = await scene.status(newest[0]) if seconds is not None else "unknown"
    return Recovery(f"kill -9 in {step}", status, seconds)


async def _kill_at(scene: Scene, step: str) -> bool:
    visitors = asyncio.create_task(scene.keep_busy())
    await asyncio.sleep(0.2)
    deploy_id = await scene.deploy()
    if step == "queued":
        # The first one occupies the lane, so that the second has to wait.
        deploy_id = await scene.deploy()
    await asyncio.to_thread(_await_step, scene.agent, deploy_id, step)
    await asyncio.to_thread(scene.agent.kill)
    visitors.cancel()
    return _newest(scene.agent) == (deploy_id, step)


def _await_step(agent: Agent, deploy_id: str, step: str) -> None:
    """Straight from the file: the API would take longer than some steps do."""
    order = STEPS.index(step)
    with closing(_records(agent)) as records:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            [status] = records.execute(
                "SELECT status FROM deploys WHERE deploy_id = ?", [deploy_id]
            ).fetchone()
            if status not in STEPS or STEPS.index(status) >= order:
                return
            time.sleep(0.001)


def _newest(agent: Agent) -> tuple[str, str]:
    with closing(_records(agent)) as records:
        query = "SELECT deploy_id, status FROM deploys ORDER BY sequence DESC LIMIT 1"
        row: tuple[str, str] = records.execute(query).fetchone()
        return row


def _records(agent: Agent) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{agent.folder}/data/worker.db?mode=ro", uri=True, timeout=5)


async def engine_restarted(scene: Scene, engine: PrivateEngine, number: int, *, deploying: bool) -> Recovery:
    deploy_id = ""
    if deploying:
        deploy_id = await scene.deploy()
        await asyncio.to_thread(_await_step, scene.agent, deploy_id, "checking")
    await engine.end(number)
    seconds = await _timed(scene, engine.start)
    if not deploying:
        return Recovery(f"engine {signal.Signals(number).name}", "none", seconds)
    harm = f"engine {signal.Signals(number).name} in checking"
    return Recovery(harm, await scene.status(deploy_id) if seconds is not None else "unknown", seconds)


async def _timed(scene: Scene, restart: Callable[[], Awaitable[None]]) -> float | None:
    """From when it is back until everything is as it should be."""
    await restart()
    started = time.monotonic()
    try:
        await scene.converge()
    except TimeoutError:
        return None
    return time.monotonic() - started


async def reaches_its_host(scene: Scene) -> dict[str, bool]:
    """Whether a tenant's container gets through to the management port, and to the mesh, of the machine it runs on."""
    [container] = await asyncio.to_thread(container_ids, scene.agent.instance)
    gateway = await asyncio.to_thread(
        docker,
        *("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.Gateway}}{{end}}", container),
    )
    return {
        name: await asyncio.to_thread(_gets_through, container, gateway.strip(), base)
        for name, base in (("management", scene.agent.base), ("mesh", scene.agent.mesh))
    }


def _gets_through(container: str, gateway: str, base: str) -> bool:
    port = base.rsplit(":", 1)[1]
    shell = f"/bin/busybox nc -w 2 {gateway} {port} </dev/null && echo through || echo closed"
    return "through" in docker("exec", container, "/bin/sh", "-c", shell)


async def measure(*, short: bool) -> tuple[list[Recovery], dict[str, bool]]:
    with private_engine() as engine, tempfile.TemporaryDirectory() as scratch:
        await engine.start()
        os.environ["DOCKER_HOST"] = engine.address
        await asyncio.to_thread(build_tiny, Path(scratch) / "image", IMAGE)
        connector = aiohttp.TCPConnector(force_close=True)
        async with aiohttp.ClientSession(connector=connector) as session:
            agent = Agent(Path(scratch), (8081, 8090), session, host="0.0.0.0")  # noqa: S104 - a network of its own
            try:
                return await _measured(Scene(agent), engine, short=short)
            except BaseException:
                line(agent.log.read_text()[-4000:])
                raise
            finally:
                agent.remove()


async def _measured(
    scene: Scene, engine: PrivateEngine, *, short: bool
) -> tuple[list[Recovery], dict[str, bool]]:
    await scene.start_agent()
    await scene.begin()
    reached = await reaches_its_host(scene)
    found = [await killed_at(scene, step) for step in (SHORT_STEPS if short else STEPS)]
    harms: list[tuple[int, bool]] = [(signal.SIGTERM, True)]
    if not short:
        harms += [(signal.SIGTERM, False), (signal.SIGKILL, False), (signal.SIGKILL, True)]
    for number, deploying in harms:
        found.append(await engine_restarted(scene, engine, number, deploying=deploying))
    return found, reached


def _row(one: Recovery) -> list[Any]:
    return [one.harm, one.status, "-" if one.seconds is None else f"{one.seconds:.1f} s"]


def main(arguments: list[str]) -> int:
    leave_the_network()
    short = "--short" in arguments
    found, reached = asyncio.run(measure(short=short))
    table("what happened, what became of the deploy, until all was well", [_row(one) for one in found])
    line(f"a container reaches its host: {reached}")
    bound_s = PATIENCE_S if short else BOUND_S
    good = all(one.is_good(bound_s) for one in found) and reached == {"management": False, "mesh": True}
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
