"""Logs of real containers through the real routes."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from shared.clock import SystemClock
from tests.integration.worker_mesh.containers import Containers
from tests.integration.worker_mesh.event_reader import Event, EventReader
from tests.integration.worker_mesh.eventually import eventually
from tests.integration.worker_mesh.stream_server import NoSuchProject, serving
from worker.logs.project_logs import ProjectLogs
from worker.logs.routes import add_log_routes
from worker.streams.engine import ContainerSource, DockerSource, LogQuery, ServiceContainer
from worker.streams.log_frames import LogRecord
from worker.streams.sse import OpenStreams

pytestmark = pytest.mark.engine

PROJECT = "shop"
COUNT_FOR_EVER = "i=0; while true; do i=$((i+1)); echo line $i; echo problem $i >&2; usleep 5000; done"
"""No faster than what a reader is spared of for seconds: two thousand lines are kept for those who come late."""


class CountingSource:
    """The real engine, with a count of the logs that are being followed."""

    def __init__(self, source: ContainerSource) -> None:
        self._source = source
        self.following = 0
        self.most = 0

    async def containers(self, project_id: str) -> list[ServiceContainer]:
        return await self._source.containers(project_id)

    async def count_running(self) -> int:
        return await self._source.count_running()

    async def stats(self, container_id: str) -> Mapping[str, Any]:
        return await self._source.stats(container_id)

    def changes(self) -> AsyncGenerator[str | None, None]:
        return self._source.changes()

    async def log(self, container_id: str, query: LogQuery) -> AsyncGenerator[list[LogRecord], None]:
        self.following += query.follow
        self.most = max(self.most, self.following)
        try:
            async with aclosing(self._source.log(container_id, query)) as batches:
                async for records in batches:
                    yield records
        finally:
            self.following -= query.follow


@dataclass(frozen=True, slots=True)
class Agent:
    """One life of the worker's logs."""

    url: str
    logs: ProjectLogs
    http: aiohttp.ClientSession

    async def recent(self, **query: str) -> list[dict[str, Any]]:
        async with self.http.get(f"{self.url}/projects/{PROJECT}/logs", params=query) as response:
            assert response.status == 200, await response.text()
            items: list[dict[str, Any]] = (await response.json())["items"]
            return items

    @asynccontextmanager
    async def stream(self, last_event_id: str | None = None, **query: str) -> AsyncIterator[EventReader]:
        headers = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
        address = f"{self.url}/projects/{PROJECT}/logs/stream"
        async with self.http.get(address, params=query, headers=headers) as response:
            assert response.status == 200, await response.text()
            assert response.headers["Content-Type"] == "text/event-stream"
            yield EventReader(response)


@asynccontextmanager
async def agent(
    source: ContainerSource, http: aiohttp.ClientSession, streams: OpenStreams | None = None
) -> AsyncIterator[Agent]:
    logs = ProjectLogs(source)

    async def require(project_id: str) -> None:
        if project_id != PROJECT:
            raise NoSuchProject

    def routes(app: web.Application, streams: OpenStreams) -> None:
        add_log_routes(app, logs, streams, require, SystemClock())

    watch = asyncio.create_task(logs.run())
    try:
        async with serving(routes, streams) as url:
            yield Agent(url, logs, http)
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
        await logs.close()


async def until_lines(agent: Agent, count: int) -> list[dict[str, Any]]:
    async def enough() -> list[dict[str, Any]] | None:
        items = await agent.recent(tail="all")
        return items if len(items) >= count else None

    return await eventually(enough, 20)


async def test_a_line_comes_as_it_was_written(
    containers: Containers, source: DockerSource, http: aiohttp.ClientSession
) -> None:
    says = r"printf '10%%\r100%%\n\n'; printf 'a\377b\n'; read go < /go; printf 'oops\n' >&2; sleep 60"
    web = containers.run(PROJECT, f"mkfifo /go; {says}")
    containers.run("other", "echo not mine; sleep 60")
    async with agent(source, http) as plane:
        # Between its two streams the engine keeps no order but that of time.
        await until_lines(plane, 3)
        containers.execute(web, "echo > /go")
        items = await until_lines(plane, 4)

        assert [(item["stream"], item["message"]) for item in items] == [
            ("stdout", "10%\r100%"),
            ("stdout", ""),
            ("stdout", "a\N{REPLACEMENT CHARACTER}b"),
            ("stderr", "oops"),
        ]
        assert {item["service"] for item in items} == {item["container"] for item in items} == {"web"}
        async with plane.stream() as reader:
            events = await reader.take(4)

        assert [event.payload for event in events] == items
        assert [event.event_id for event in events] == [item["id"] for item in items]
        assert {event.name for event in events} == {"log"}
        assert reader.retry == 2000


async def test_a_terminal_gives_lines_too(
    containers: Containers, source: DockerSource, http: aiohttp.ClientSession
) -> None:
    containers.run(
        PROJECT, r"echo one; printf '1\r2\n'; head -c 20000 /dev/zero | tr '\0' x; echo; sleep 60", "-t"
    )
    async with agent(source, http) as plane:
        messages = [item["message"] for item in await until_lines(plane, 4)]

    assert messages[:2] == ["one", "1\r2"]
    assert "".join(messages[2:]) == "x" * 20000


async def test_tail_since_and_service_choose(
    containers: Containers, source: DockerSource, http: aiohttp.ClientSession
) -> None:
    early = "for i in 1 2 3; do echo early $i; done"
    web = containers.run(PROJECT, f"mkfifo /go; {early}; read go < /go; echo late; sleep 60")
    async with agent(source, http) as plane:
        await until_lines(plane, 3)
        containers.run(PROJECT, "echo middle; sleep 60", service="db")
        await until_lines(plane, 4)
        containers.execute(web, "echo > /go")
        items = await until_lines(plane, 5)
        messages = [item["message"] for item in items]

        assert messages == ["early 1", "early 2", "early 3", "middle", "late"]
        assert [item["message"] for item in await plane.recent(tail="2")] == ["middle", "late"]
        assert [item["message"] for item in await plane.recent(service="db")] == ["middle"]
        since = [item["message"] for item in await plane.recent(since=items[3]["timestamp"])]
        assert since == ["middle", "late"]
        async with plane.stream(tail="2", service="web") as reader:
            assert [event.payload["message"] for event in await reader.take(2)] == ["early 3", "late"]
        async with plane.stream(last_event_id=items[2]["id"]) as reader:
            assert [event.payload["message"] for event in await reader.take(2)] == ["middle", "late"]


async def test_a_wrong_question_is_refused(source: DockerSource, http: aiohttp.ClientSession) -> None:
    async with agent(source, http) as plane:
        for path, status, code in (
            ("/projects/nobody/logs", 404, "project_not_found"),
            ("/projects/nobody/logs/stream", 404, "project_not_found"),
            (f"/projects/{PROJECT}/logs?tail=-1", 422, "invalid_query"),
            (f"/projects/{PROJECT}/logs/stream?since=yesterday", 422, "invalid_query"),
        ):
            async with http.get(plane.url + path) as response:
                assert (response.status, (await response.json())["code"]) == (status, code)


async def test_twenty_readers_share_one_docker_stream_that_ends_with_the_last(
    containers: Containers, source: DockerSource, http: aiohttp.ClientSession
) -> None:
    containers.run(PROJECT, COUNT_FOR_EVER)
    counting = CountingSource(source)

    async def follow(count: int) -> bool:
        return counting.following == count

    async with agent(counting, http) as plane:
        async with AsyncExitStack() as stack:
            readers = [await stack.enter_async_context(plane.stream(tail="0")) for _ in range(20)]
            taken = await asyncio.gather(*(reader.take(50) for reader in readers))

            # What has fallen behind reads to the end before it follows again.
            await eventually(lambda: follow(1))
            assert counting.most == 1
            for events in taken:
                assert_consecutive(events)
        await eventually(lambda: follow(0))


async def test_a_stream_cut_twenty_times_loses_and_repeats_nothing_even_across_lives_of_the_agent(
    containers: Containers, source: DockerSource, http: aiohttp.ClientSession
) -> None:
    containers.run(PROJECT, COUNT_FOR_EVER)
    events: list[Event] = []
    for life in range(4):
        async with agent(source, http) as plane:
            for cut in range(5):
                last = events[-1].event_id if events else None
                async with plane.stream(last, **({} if events else {"tail": "all"})) as reader:
                    events += await reader.take(20 + 30 * cut)
                await asyncio.sleep(0.1 * (life % 2))

    assert [event.name for event in events] == ["log"] * len(events)
    assert_consecutive(events)


async def test_containers_of_a_project_resume_each_from_its_own_place(
    containers: Containers, source: DockerSource, http: aiohttp.ClientSession
) -> None:
    containers.run(PROJECT, COUNT_FOR_EVER)
    containers.run(PROJECT, COUNT_FOR_EVER, service="worker")
    events: list[Event] = []
    async with agent(source, http) as plane:
        for _cut in range(10):
            last = events[-1].event_id if events else None
            async with plane.stream(last, **({} if events else {"tail": "all"})) as reader:
                events += await reader.take(100)

    for service in ("web", "worker"):
        assert_consecutive([event for event in events if event.payload["service"] == service])


async def test_an_id_far_back_is_served_from_the_engine(
    containers: Containers, source: DockerSource, http: aiohttp.ClientSession
) -> None:
    containers.run(PROJECT, "for i in $(seq 6000); do echo line $i; done; sleep 60")
    async with agent(source, http) as plane:
        items = await until_lines(plane, 6000)
        async with plane.stream(items[9]["id"]) as reader:
            events = await reader.take(5990)

    assert [event.payload for event in events] == items[10:]


async def test_a_log_that_is_rotated_under_its_reader_loses_and_repeats_nothing(
    containers: Containers, source: DockerSource, http: aiohttp.ClientSession
) -> None:
    # A file for each second, of which five are kept: who is further behind has lost something.
    count = COUNT_FOR_EVER.replace("i=0;", "i=0; sleep 1;").replace("5000", "10000")
    containers.run(PROJECT, count, "--log-opt", "max-size=20k", "--log-opt", "max-file=5")
    async with agent(source, http) as plane, plane.stream() as reader:
        events = await reader.take(1500)

    assert_consecutive(events)


async def test_a_slow_reader_gets_a_gap_and_slows_nobody(
    containers: Containers, source: DockerSource, http: aiohttp.ClientSession
) -> None:
    # As much at a time as is kept for the quick one, however late it comes.
    lines, width, at_once = 15_000, 1000, 750
    wide = f"x=$(head -c {width} /dev/zero | tr '\\0' x)"
    write = f"while [ $i -lt {lines} ]; do [ $((i % {at_once})) = 0 ] && read go <&3; i=$((i+1)); echo line $i $x; done"
    name = containers.run(PROJECT, f"mkfifo /go; {wide}; i=0; exec 3< /go; {write}; sleep 60")
    async with agent(source, http) as plane, plane.stream() as slow, plane.stream() as quick:
        telling = await asyncio.create_subprocess_exec(
            *("docker", "exec", "-i", name, "sh", "-c", "cat > /go"), stdin=asyncio.subprocess.PIPE
        )
        assert telling.stdin is not None
        events: list[Event] = []
        while len(events) < lines:
            telling.stdin.write(b"go on\n")
            events += await quick.take(at_once)
        telling.stdin.close()
        await telling.wait()
        numbers = [int(str(event.payload["message"]).split()[1]) for event in events]

        assert numbers == list(range(1, lines + 1))
        # The slow one took nothing until now: what the sockets could not hold is gone for it, and said to be.
        seen: list[Event] = []
        while not seen or not str(seen[-1].payload.get("message", "")).startswith(f"line {lines} "):
            event = await slow.next()
            assert event is not None
            seen.append(event)
        missed = sum(int(str(event.payload["missed"])) for event in seen if event.name == "gap")
        assert missed > 0
        assert missed + sum(event.name == "log" for event in seen) == lines


async def test_a_new_container_joins_and_a_deleted_project_ends(
    containers: Containers, source: DockerSource, http: aiohttp.ClientSession
) -> None:
    old = containers.run(PROJECT, "echo old; sleep 60")
    async with agent(source, http) as plane:
        async with plane.stream() as reader:
            before = (await reader.take(1))[0]
            new = containers.run(PROJECT, "echo new; sleep 60")
            joined = (await reader.take(1))[0]
            containers.remove(old)
            containers.restart(new)
            again = (await reader.take(1))[0]
            plane.logs.end(PROJECT)
            end = (await reader.take(1))[0]

            assert [event.payload["message"] for event in (before, joined, again)] == ["old", "new", "new"]
            assert end.name == "end"
            assert await reader.next() is None
        async with plane.stream(before.event_id) as reader:
            gap, *rest = await reader.take(3)

            assert (gap.name, gap.payload["reason"]) == ("gap", "container_gone")
            assert [event.event_id for event in rest] != [joined.event_id, again.event_id]
            assert [event.payload["message"] for event in rest] == ["new", "new"]


async def test_there_is_a_bound_on_streams(
    containers: Containers, source: DockerSource, http: aiohttp.ClientSession
) -> None:
    containers.run(PROJECT, "echo one; sleep 60")
    async with agent(source, http, OpenStreams(limit=2)) as plane:
        address = f"{plane.url}/projects/{PROJECT}/logs/stream"
        async with plane.stream() as first, plane.stream():
            await first.take(1)
            async with http.get(address) as response:
                assert (response.status, (await response.json())["code"]) == (503, "too_many_streams")

        # Both have left without a word; the agent notices although nothing is written to them.
        async def admitted() -> bool:
            async with http.get(address) as response:
                return response.status == 200

        await eventually(admitted)


async def test_a_silent_stream_carries_a_comment_every_fifteen_seconds(
    containers: Containers, source: DockerSource, http: aiohttp.ClientSession
) -> None:
    assert OpenStreams().comment_every_s == 15
    web = containers.run(PROJECT, "mkfifo /go; echo one; read go < /go; echo two; sleep 60")
    clock = asyncio.get_running_loop()
    asked_at = clock.time()
    async with (
        agent(source, http, OpenStreams(comment_every_s=1)) as plane,
        plane.stream() as reader,
    ):
        await reader.take(1)
        two = asyncio.create_task(reader.take(1))

        async def has_three() -> bool:
            return reader.comments >= 3

        await eventually(has_three)
        assert reader.comments <= clock.time() - asked_at
        await asyncio.to_thread(containers.execute, web, "echo > /go")
        assert (await two)[0].payload["message"] == "two"


async def test_an_engine_that_is_away_is_said_to_be(http: aiohttp.ClientSession) -> None:
    source = DockerSource("unix:///nowhere/docker.sock", "none")
    async with agent(source, http) as plane:
        for path in ("logs", "logs/stream"):
            async with http.get(f"{plane.url}/projects/{PROJECT}/{path}") as response:
                assert (response.status, (await response.json())["code"]) == (503, "engine_unavailable")
    await source.close()


def assert_consecutive(events: list[Event]) -> None:
    """Numbered lines, per stream: none missing, none twice, in order."""
    for stream in ("stdout", "stderr"):
        lines = [str(event.payload["message"]) for event in events if event.payload.get("stream") == stream]
        numbers = [int(line.split()[1]) for line in lines]
        assert numbers, json.dumps([event.payload for event in events])
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
