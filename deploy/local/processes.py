"""The services as child processes: started with their settings, their lines shown under their names, stopped together."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from deploy.local.plan import Service

STOP_DEADLINE_S = 40.0
LINE_LIMIT = 1024 * 1024

Show = Callable[[str, str], None]
"""Called with the service's name and one line of its output."""


@dataclass(frozen=True, slots=True)
class Running:
    service: Service
    process: asyncio.subprocess.Process
    output: asyncio.Task[None]


@asynccontextmanager
async def running(
    services: Sequence[Service], environment: Mapping[str, str], show: Show
) -> AsyncIterator[list[Running]]:
    """All of them for the length of the block; each gets SIGTERM at the end, in order, and SIGKILL 40 s later."""
    started: list[Running] = []
    try:
        for service in services:
            # One by one: what was started before a failure must be stopped.
            started.append(await _start(service, environment, show))  # noqa: PERF401
        yield started
    finally:
        for child in started:
            await _stop(child)


async def first_to_end(children: Sequence[Running]) -> Running:
    """The first child that ends by itself, which none should."""
    waits = {asyncio.create_task(child.process.wait(), name=child.service.name): child for child in children}
    try:
        done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    return waits[next(iter(done))]


async def _start(service: Service, environment: Mapping[str, str], show: Show) -> Running:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        service.name,
        *service.arguments,
        env={**environment, "PYTHONUNBUFFERED": "1", **service.settings},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        # A terminal's Ctrl-C goes to the whole foreground group: the children must wait for us to stop them in order.
        start_new_session=True,
        limit=LINE_LIMIT,
    )
    output = asyncio.create_task(_show_lines(service.name, process, show), name=f"{service.name} output")
    return Running(service, process, output)


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


async def _stop(child: Running) -> None:
    if child.process.returncode is None:
        child.process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_DEADLINE_S):
                await child.process.wait()
        except TimeoutError:
            os.killpg(child.process.pid, signal.SIGKILL)
            await child.process.wait()
    await child.output
