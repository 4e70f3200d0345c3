"""`python -m deploy.local`: checks first, then starts everything, says when it is ready, and stops it all on a signal."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import aiodocker
import aiohttp

from deploy.credentials import load_or_generate
from deploy.engine import Engine, engine
from deploy.images.hello.build import ImageBuildFailed, ensure_hello_image
from deploy.local import banner
from deploy.local.plan import Plan, SettingInvalid, make_plan
from deploy.local.ports import busy
from deploy.local.processes import Child, first_to_end, run_to_end, running

READY_DEADLINE_S = 60.0
COLOURS = {"gateway": 36, "hoster": 35, "worker": 33}


def main() -> int:
    data = Path(os.environ.get("PLATFORM_DATA_DIR") or "data").resolve()
    try:
        plan = make_plan(os.environ, load_or_generate(data / "secrets.env"), data)
    except SettingInvalid as fault:
        return refuse(str(fault))
    obstacles = busy(plan.listeners)
    if obstacles:
        return refuse(*obstacles)
    # Ctrl-C while the engine starts or stops must not leave it half done: from here on signals are ours.
    stop = StopSignal()
    with engine(os.environ.get("DOCKER_HOST"), data / "dockerd.log", say) as found:
        say(found.detail)
        if stop.raised:
            return 0
        return asyncio.run(serve(plan, found, stop))


class StopSignal:
    """SIGINT, SIGTERM and a terminal that is closed, from the moment of construction; `attach` turns them into an event of the running
    loop.
    """

    def __init__(self) -> None:
        self.raised = False
        self._event: asyncio.Event | None = None
        # Under `nohup` a closed terminal is to be survived.
        hang_up = () if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (signal.SIGHUP,)
        self._numbers = (signal.SIGINT, signal.SIGTERM, *hang_up)
        for number in self._numbers:
            signal.signal(number, lambda _number, _frame: self._raise())

    def attach(self) -> asyncio.Event:
        self._event = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in self._numbers:
            loop.add_signal_handler(number, self._raise)
        if self.raised:
            self._event.set()
        return self._event

    def _raise(self) -> None:
        self.raised = True
        if self._event is not None:
            self._event.set()


async def serve(plan: Plan, found: Engine, stop: StopSignal) -> int:
    stopping = stop.attach()
    await prepare_images(plan, found)
    environment = {**os.environ, "DOCKER_HOST": found.address}
    async with running(plan.services, environment, stopping, show) as children:
        announcement = asyncio.create_task(announce(plan, found), name="ready")
        lost = await until_stopped(children, stopping)
        announcement.cancel()
        await asyncio.gather(announcement, return_exceptions=True)
        say(
            "stopping"
            if lost is None
            else f"{lost.name} ended by itself (its last lines are above); stopping"
        )
    if found.available:
        await evacuate(plan, environment)
    say("stopped; nothing is left running, data is kept")
    return 0 if lost is None else 1


async def evacuate(plan: Plan, environment: Mapping[str, str]) -> None:
    """The apps' containers leave the engine; the next start brings them back from the worker's records."""
    worker = next(service for service in plan.services if service.name == "worker")
    if await run_to_end(worker, ("evacuate",), environment, show) != 0:
        say("some of the apps' containers may still be on the engine (see above)")


async def until_stopped(children: list[Child], stopping: asyncio.Event) -> Child | None:
    """None on a signal, or the child that ended by itself."""
    if stopping.is_set():
        return None
    stopped = asyncio.create_task(stopping.wait(), name="stop signal")
    ended = asyncio.create_task(first_to_end(children), name="first to end")
    try:
        done, _ = await asyncio.wait({stopped, ended}, return_when=asyncio.FIRST_COMPLETED)
        return None if stopped in done else ended.result()
    finally:
        stopped.cancel()
        ended.cancel()
        await asyncio.gather(stopped, ended, return_exceptions=True)


async def prepare_images(plan: Plan, found: Engine) -> None:
    """Failure policy: without the image the platform still starts; deployments of `hello` then fail with the reason."""
    if not found.available:
        return
    try:
        async with aiodocker.Docker(url=found.address) as docker:
            await ensure_hello_image(docker, plan.data / "cache" / "busybox")
    except (ImageBuildFailed, aiodocker.DockerError, aiohttp.ClientError, OSError, TimeoutError) as error:
        say(f"the image of the hello template could not be built: {error}")


async def announce(plan: Plan, found: Engine) -> None:
    deadline = asyncio.get_running_loop().time() + READY_DEADLINE_S
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=3)) as session:
        while not await is_ready(session, plan):
            if asyncio.get_running_loop().time() > deadline:
                say(f"not ready after {READY_DEADLINE_S:.0f} s; see the lines above")
                deadline += READY_DEADLINE_S
            await asyncio.sleep(0.1)
    tell(banner.ready(plan, found))


async def is_ready(session: aiohttp.ClientSession, plan: Plan) -> bool:
    """The door answers, the business behind it too, and the node has joined."""
    ports = {listener.variable: listener.port for listener in plan.listeners}
    try:
        async with (
            session.get(f"http://127.0.0.1:{ports['GATEWAY_PORT']}/health") as door,
            session.get(f"http://127.0.0.1:{ports['HOSTER_PORT']}/health") as business,
        ):
            if door.status != 200 or business.status != 200:
                return False
            summary = await business.json()
            return bool(summary["nodes"]["online"])
    except (aiohttp.ClientError, TimeoutError):
        return False


def show(name: str, line: str) -> None:
    label = f"{name:<8}│ "
    if sys.stdout.isatty():
        label = f"\x1b[{COLOURS[name]}m{label}\x1b[0m"
    tell(f"{label}{line}\n")


def say(sentence: str) -> None:
    tell(f"platform│ {sentence}\n")


def tell(text: str) -> None:
    """When nobody listens any more (a closed terminal, `| head`) the platform goes on unheard, and is stopped as ever."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def refuse(*sentences: str) -> int:
    for sentence in sentences:
        sys.stderr.write(f"cannot start: {sentence}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
