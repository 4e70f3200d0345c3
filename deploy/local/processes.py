"""The services as child processes: started with their settings, their lines shown under their names, stopped together.

Where the system can (Linux, `PR_SET_PDEATHSIG` through util-linux's setpriv), they also stop when we are killed.
"""

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from deploy.local.plan import Service

START_DEADLINE_S = 15.0
STOP_DEADLINE_S = 40.0
LINE_LIMIT = 1024 * 1024

Show = Callable[[str, str], None]
"""Called with the service's name and one line of its output."""


@dataclass(frozen=True, slots=True)
class Child:
    name: str
    process: asyncio.subprocess.Process
    output: asyncio.Task[None]


@asynccontextmanager
async def running(
    services: Sequence[Service], environment: Mapping[str, str], stopping: asyncio.Event, show: Show
) -> AsyncIterator[list[Child]]:
    """All of them for the length of the block, each started when the one before answers (or has ended, or does not within 15 s).

    At the end each gets SIGTERM, the last started first, and SIGKILL 40 s later. Once `stopping` is set no more are started.
    """
    started: list[Child] = []
    try:
        for service in services:
            if not stopping.is_set():
                child = await _start(service.name, (), {**environment, **service.settings}, show)
                started.append(child)
                await _until_it_answers(child, service.port, stopping)
        yield started
    finally:
        for child in reversed(started):
            await _stop(child)


async def run_to_end(
    service: Service, arguments: tuple[str, ...], environment: Mapping[str, str], show: Show
) -> int:
    """The exit status of `python -m <service> <arguments>`, killed after 40 s."""
    child = await _start(service.name, arguments, {**environment, **service.settings}, show)
    try:
        async with asyncio.timeout(STOP_DEADLINE_S):
            return await child.process.wait()
    finally:
        await _stop(child)


async def first_to_end(children: Sequence[Child]) -> Child:
    """The first child that ends by itself, which none should."""
    waits = {asyncio.create_task(child.process.wait(), name=child.name): child for child in children}
    try:
        done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    return waits[next(iter(done))]


async def _until_it_answers(child: Child, port: int, stopping: asyncio.Event) -> None:
    deadline = asyncio.get_running_loop().time() + START_DEADLINE_S
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
        while child.process.returncode is None and not stopping.is_set():
            try:
                async with session.get(f"http://127.0.0.1:{port}/health"):
                    return
            except (aiohttp.ClientError, TimeoutError):
                if asyncio.get_running_loop().time() > deadline:
                    return
            await asyncio.sleep(0.05)


async def _start(name: str, arguments: tuple[str, ...], environment: Mapping[str, str], show: Show) -> Child:
    process = await asyncio.create_subprocess_exec(
        *_ends_with_us(),
        sys.executable,
        "-m",
        name,
        *arguments,
        env={**environment, "PYTHONUNBUFFERED": "1"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        # A terminal's Ctrl-C goes to the whole foreground group: the children must wait for us to stop them in order.
        start_new_session=True,
        limit=LINE_LIMIT,
    )
    output = asyncio.create_task(_show_lines(name, process, show), name=f"{name} output")
    return Child(name, process, output)


def _ends_with_us() -> tuple[str, ...]:
    setpriv = shutil.which("setpriv")
    return () if setpriv is None else (setpriv, "--pdeathsig", "TERM", "--")


async def _show_lines(name: str, process: asyncio.subprocess.Process, show: Show) -> None:
    assert process.stdout is not None  # noqa: S101 - it was asked for as a pipe
    while True:
        try:
            line = await process.stdout.readline()
        except ValueError:
            show(name, f"(a line over {LINE_LIMIT} bytes was left out)")
            continue
        if not line:
            return
        show(name, line.decode("utf-8", "replace").rstrip("\n"))


async def _stop(child: Child) -> None:
    if child.process.returncode is None:
        child.process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_DEADLINE_S):
                await child.process.wait()
        except TimeoutError:
            os.killpg(child.process.pid, signal.SIGKILL)
            await child.process.wait()
    await child.output
