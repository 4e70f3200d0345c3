"""Requests that are none, or only half of one: answered or dropped, never our failure, and nothing of them fills the log."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest

from tests.integration.worker_deploys.agent import Agent
from tests.integration.worker_deploys.commanding import SECRET

HUGE = b"a" * (1024 * 1024 + 1)
NONSENSE: dict[str, tuple[bytes, tuple[int, ...]]] = {
    "a body that was announced and is too large": (
        b"POST /projects HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n",
        (413,),
    ),
    "a body in pieces that becomes too large": (
        b"POST /projects HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"
        % (len(HUGE), HUGE),
        (413,),
    ),
    "a body that is not as compressed as it says": (
        b"POST /projects HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
        (401,),
    ),
    "the same for a webhook": (
        b"POST /projects/x/webhook HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
        (404,),
    ),
    "pieces without a length": (
        b"POST /projects HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        (400,),
    ),
    "two lengths": (
        b"GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        (400,),
    ),
    "another protocol": (b"\x16\x03\x01 hello\r\n\r\n", (400,)),
    "a head without end": (
        b"GET /health HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
        (400, 431),
    ),
    "a path that is no text": (b"GET /projects/\xff HTTP/1.1\r\nHost: x\r\n\r\n", (400,)),
    "half a body": (b"POST /projects HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n{}", ()),
    "half a webhook": (b"POST /projects/x/webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n{}", ()),
}


@pytest.fixture
async def agent(
    tmp_path: Path, free_port: Callable[[], int], session: aiohttp.ClientSession
) -> AsyncIterator[Agent]:
    process = Agent(tmp_path, (free_port(), free_port()), session)
    await process.start({"WORKER_SECRET": SECRET, "DOCKER_HOST": f"unix://{tmp_path}/none.sock"})
    yield process
    process.remove()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


async def _status(agent: Agent, octets: bytes) -> int | None:
    """None when the connection is closed without a word."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(agent.base.rpartition(":")[2]))
    writer.write(octets)
    try:
        await writer.drain()
        if b"Content-Length: 20" in octets:
            writer.write_eof()
        line = await asyncio.wait_for(reader.readline(), 10)
        return int(line.split()[1]) if line else None
    finally:
        writer.transport.abort()


async def test_nonsense_is_answered_and_is_no_failure_of_ours(agent: Agent) -> None:
    answers = {name: await _status(agent, octets) for name, (octets, _expected) in NONSENSE.items()}

    for name, (_octets, expected) in NONSENSE.items():
        assert answers[name] in (expected or (None,)), name
    logged = [json.loads(line) for line in agent.log.read_text().splitlines()]
    assert [line for line in logged if line["level"] == "error" or "exception" in line] == []


async def test_an_id_that_a_caller_chose_is_taken_only_if_it_can_be_one(agent: Agent) -> None:
    for chosen, taken in (("req-1", True), ("r" * 129, False), ("two words", False)):
        async with agent.session.get(f"{agent.base}/projects", headers={"X-Request-ID": chosen}) as response:
            assert response.status == 401
            assert (response.headers["X-Request-ID"] == chosen) is taken
