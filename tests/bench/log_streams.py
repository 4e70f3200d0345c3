"""`python -m tests.bench.log_streams [LINES] [CUTS] [READERS]`: a container that writes as fast as it can, readers whose connections are cut
again and again (and the agent killed meanwhile), logs that are rotated away under them, and many readers of one container.
"""

import asyncio
import json
import random
import shutil
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from tests.bench.counting_engine import Followed, counting_engine
from tests.bench.table import table
from tests.free_ports import free_port
from tests.integration.worker_deploys.agent import Agent
from tests.integration.worker_deploys.commanding import SECRET
from tests.integration.worker_deploys.docker_cli import build_image, docker, remove_everything_of

ENGINE = "unix:///var/run/docker.sock"
# The writer starts when it is told to, so that readers can be there from the first line.
WRITE = """\
/bin/busybox httpd -p $PORT -h /www
/bin/busybox mkfifo /go; read lines pad < /go
i=0; while [ $i -lt $lines ]; do i=$((i+1)); echo "line $i $pad"; done
exec /bin/busybox sleep 3600
"""
_DOCKERFILE = """\
FROM scratch
COPY busybox /bin/busybox
COPY busybox /bin/sh
COPY write /write
COPY index.html /www/index.html
CMD ["/bin/sh", "/write"]
"""
_PATH = "/projects/writer/logs/stream"
_SILENCE_S = 30.0


@dataclass(slots=True)
class Seen:
    """What a reader got. `lost` counts lines that are missing without a gap event before them, `skipped` those with one, `declared`
    those that gap events have numbered.
    """

    last: int = 0
    lines: int = 0
    lost: int = 0
    repeated: int = 0
    gaps: int = 0
    skipped: int = 0
    declared: int = 0
    event_id: str | None = None
    after_gap: bool = field(default=False)

    def line(self, number: int) -> None:
        self.lines += 1
        if number <= self.last:
            self.repeated += 1
        elif number > self.last + 1:
            if self.after_gap:
                self.skipped += number - self.last - 1
            else:
                self.lost += number - self.last - 1
        self.last = max(self.last, number)
        self.after_gap = False

    def gap(self, missed: int | None) -> None:
        self.gaps += 1
        self.declared += missed or 0
        self.after_gap = True


@dataclass(frozen=True, slots=True)
class Plane:
    agent: Agent
    container_id: str
    followed: Followed
    variables: dict[str, str]

    async def restart(self) -> None:
        """As after a crash."""
        await asyncio.to_thread(self.agent.kill)
        await self.agent.start(self.variables)

    async def write(self, lines: int, width: int = 1) -> None:
        command = f"echo {lines} {'x' * width} > /go"
        await asyncio.to_thread(docker, "exec", self.container_id, "/bin/sh", "-c", command)

    async def read(
        self, seen: Seen, most: int, until: int, start: Callable[[], Awaitable[object]] | None = None
    ) -> None:
        """At most `most` lines, from where `seen` is; returns early after line `until`. `start` is called once the stream is open."""
        path = _PATH if seen.event_id else f"{_PATH}?tail=all"
        headers = self.agent.commander.signed("GET", path, b"")
        if seen.event_id:
            headers["Last-Event-ID"] = seen.event_id
        stop = seen.lines + most
        timeout = aiohttp.ClientTimeout(total=None, sock_read=_SILENCE_S)
        async with self.agent.session.get(
            self.agent.base + path, headers=headers, timeout=timeout
        ) as response:
            assert response.status == 200, await response.text()
            if start is not None:
                await start()
            async for event in _events(response):
                if event.get("event") == "gap":
                    seen.gap(json.loads(event["data"])["missed"])
                elif event.get("event") == "log":
                    seen.line(int(event["data"].rpartition('"message":"line ')[2].partition(" ")[0]))
                    seen.event_id = event["id"]
                if seen.lines >= stop or seen.last >= until:
                    return


async def _events(response: aiohttp.ClientResponse) -> AsyncIterator[dict[str, str]]:
    rest = b""
    async for octets in response.content.iter_any():
        *blocks, rest = (rest + octets).split(b"\n\n")
        for block in blocks:
            yield dict(
                row.split(": ", 1) for row in block.decode().split("\n") if ": " in row and row[0] != ":"
            )


@asynccontextmanager
async def plane() -> AsyncIterator[Plane]:
    """A worker as a process of its own, with one deployed writer, behind an engine whose log streams are counted."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        image = await asyncio.to_thread(_build, folder)
        connector = aiohttp.TCPConnector(force_close=True, limit=0)
        async with (
            aiohttp.ClientSession(connector=connector, read_bufsize=2**20) as session,
            counting_engine(ENGINE, folder) as (engine, followed),
        ):
            agent = Agent(folder, (free_port(), free_port()), session)
            variables = {"WORKER_SECRET": SECRET, "DOCKER_HOST": engine, "LOG_LEVEL": "warning"}
            try:
                await agent.start(variables)
                container_id = await _deployed(agent, image)
                yield Plane(agent, container_id, followed, variables)
            finally:
                agent.remove()
                await asyncio.to_thread(remove_everything_of, agent.instance)
                await asyncio.to_thread(docker, "rmi", "-f", image)


def _build(folder: Path) -> str:
    context = folder / "image"
    context.mkdir()
    shutil.copy("/bin/busybox", context / "busybox")
    (context / "write").write_text(WRITE)
    (context / "index.html").write_text("ready\n")
    (context / "Dockerfile").write_text(_DOCKERFILE)
    image = f"localhost/bench-log-streams:{uuid.uuid4().hex[:12]}"
    build_image(context, image)
    return image


async def _deployed(agent: Agent, image: str) -> str:
    await agent.commander.ok("POST", "/projects", {"project_id": "writer", "org_id": "org_a"})
    body = {"image": image, "port": 8080, "healthcheck": {"path": "/", "interval_s": 0.1}}
    deployed = await agent.commander.ok("POST", "/projects/writer/deploy?wait=45", body)
    assert deployed["status"] == "active", deployed
    label = f"--filter=label=io.plane.instance={agent.instance}"
    return (await asyncio.to_thread(docker, "ps", "-q", "--no-trunc", label)).strip()


async def cut_streams(lines: int, cuts: int, kills: int) -> Seen:
    """One reader that is cut `cuts` times while (and after) the lines are written; the agent is killed `kills` times on the way."""
    chance = random.Random(1)  # noqa: S311 - the same cuts every time
    seen = Seen()
    async with plane() as at:
        deadly = {(kill + 1) * cuts // (kills + 1) for kill in range(kills)}
        for cut in range(cuts):
            await at.read(
                seen,
                chance.randrange(1, 2 * lines // cuts),
                lines,
                (lambda: at.write(lines)) if cut == 0 else None,
            )
            if cut in deadly:
                await at.restart()
        if seen.last < lines:
            await at.read(seen, 2 * lines, lines)
    return seen


async def rotated_streams(lines: int) -> Seen:
    """More than the engine keeps is written while the reader is away."""
    seen = Seen()
    async with plane() as at:
        await at.read(seen, 100, lines, lambda: at.write(lines, 400))
        await asyncio.to_thread(_until_written, at.container_id, lines)
        await at.read(seen, 2 * lines, lines)
    return seen


def _until_written(container_id: str, lines: int) -> None:
    deadline = time.monotonic() + 120
    while not docker("logs", "--tail", "1", container_id).startswith(f"line {lines} "):
        assert time.monotonic() < deadline
        time.sleep(0.5)


async def many_readers(readers: int, lines: int) -> tuple[list[Seen], int, int]:
    """What each saw; the most log streams from the engine at once, and how many were left when all readers had gone."""
    everyone = [Seen() for _ in range(readers)]
    async with plane() as at:
        opened = asyncio.Barrier(readers + 1)

        async def read(seen: Seen) -> None:
            await at.read(seen, lines, lines, opened.wait)

        async with asyncio.TaskGroup() as tasks:
            for seen in everyone:
                tasks.create_task(read(seen))
            await opened.wait()
            await at.write(lines)
        deadline = time.monotonic() + 30
        while at.followed.now and time.monotonic() < deadline:
            await asyncio.sleep(0.1)
        return everyone, at.followed.most, at.followed.now


def is_whole(seen: Seen, lines: int) -> bool:
    """Every line was read once, or is within a declared gap."""
    return (seen.lost, seen.repeated, seen.lines + seen.skipped) == (0, 0, lines)


def _row(what: str, seen: Seen) -> tuple[str, ...]:
    return (
        what,
        str(seen.lines),
        str(seen.lost),
        str(seen.repeated),
        f"{seen.gaps} ({seen.skipped} lines)",
    )


def main(lines: int, cuts: int, readers: int) -> bool:
    began = time.perf_counter()
    cut = asyncio.run(cut_streams(lines, cuts, 2))
    taken = time.perf_counter() - began
    rotated = asyncio.run(rotated_streams(100_000))
    everyone, most, left = asyncio.run(many_readers(readers, 500))
    total = Seen(lines=sum(seen.lines for seen in everyone))
    total.lost = sum(seen.lost for seen in everyone)
    total.repeated = sum(seen.repeated for seen in everyone)
    total.gaps = sum(seen.gaps for seen in everyone)
    total.skipped = sum(seen.skipped for seen in everyone)
    total.declared = sum(seen.declared for seen in everyone)
    table(
        f"{lines} lines at full speed",
        [
            ("", "lines read", "lost", "repeated", "gaps declared"),
            _row(f"cut {cuts} times, agent killed twice ({taken:.0f} s)", cut),
            _row("rotated away meanwhile", rotated),
            _row(f"{readers} readers, 500 lines", total),
        ],
    )
    table("log streams from the engine", [(f"with {readers} readers", str(most)), ("afterwards", str(left))])
    return (
        is_whole(cut, lines)
        and is_whole(rotated, 100_000)
        and rotated.gaps > 0
        and all(is_whole(seen, 500) for seen in everyone)
        and (most, left) == (1, 0)
    )


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    sys.exit(not main(*given, *(20_000, 100, 200)[len(given) :]))
