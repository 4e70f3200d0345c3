import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from tests.integration.hoster.conftest import IDENTITY_SECRET, JOIN_TOKEN, User, eventually, join_worker

pytestmark = pytest.mark.timeout(240)

DEPLOYMENTS = "/api/v1/deployments"
START_S = 50.0
"""A process starts in two seconds, on a machine that does nothing else."""
GRACE_S = 10.0
"""What Docker gives a container by default."""


@pytest.fixture
def spawn(tmp_path: Path, free_port: Any) -> Any:
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "IDENTITY_SECRET": IDENTITY_SECRET,
        "HOSTER_DATA_DIR": str(tmp_path / "data"),
        "HOSTER_PORT": str(port),
        "HOSTER_JOIN_TOKEN": JOIN_TOKEN,
    }

    async def start(**changes: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "hoster", env={**environment, **changes}, stderr=asyncio.subprocess.PIPE
        )

    start.base_url = f"http://127.0.0.1:{port}"
    return start


async def _listening(process: Any) -> None:
    async with asyncio.timeout(START_S):
        while b"listening" not in await process.stderr.readline():
            assert process.returncode is None


async def _killed(process: Any) -> None:
    if process.returncode is None:
        process.kill()
    await process.communicate()


async def test_what_apigate_lets_through_is_read_and_what_cannot_be_read_is_said_in_a_problem(
    spawn: Any, session: aiohttp.ClientSession
) -> None:
    process = await spawn()
    try:
        await _listening(process)
        base = spawn.base_url
        async with session.get(f"{base}/health", headers={"Cookie": "c" * 30_000}) as response:
            assert response.status == 200
        long = URL(f"{base}/api/v1/{'x' * 8180}", encoded=True)
        async with session.get(long) as response:
            assert (response.status, (await response.json())["code"]) == (404, "not_found")
        for encoding in ("gzip", "deflate", "unheard-of"):
            # The client's own library would not send what it cannot encode.
            told = await _sent(base, "/nodes/v1/join", b'{"token"', f"Content-Encoding: {encoding}\r\n")
            assert b" 400 " in told, told
            assert b'"code":"bad_request"' in told, told
        process.send_signal(signal.SIGTERM)
        _, logged = await process.communicate()
        assert b"Traceback" not in logged, logged
    finally:
        await _killed(process)


async def _sent(base_url: str, path: str, body: bytes, fields: str) -> bytes:
    url = URL(base_url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: {len(body)}\r\n{fields}\r\n"
    )
    writer.write(head.encode() + body)
    try:
        return await reader.read()
    finally:
        writer.close()


async def test_a_create_is_finished_after_kill_minus_nine(spawn: Any, session: aiohttp.ClientSession) -> None:
    process = await spawn()
    worker = None
    try:
        await _listening(process)
        worker = await join_worker(spawn.base_url, session)
        worker.deploy_s = 2
        user = User(spawn.base_url, session)
        template = (await user.ask("GET", "/api/v1/templates?q=hello")).body["items"][0]["id"]
        created = await user.ask("POST", "/api/v1/deployments", {"name": "x", "template_id": template})

        async def is_deploying() -> bool:
            return any(project.deploys for project in worker.projects.values())

        await eventually(is_deploying, 30)
        process.kill()
        await process.communicate()

        process = await spawn()
        await _listening(process)
        await user.until(created.body["id"], "running")
        project = next(iter(worker.projects.values()))
        assert len(project.deploys) == 1, "the resumed job must find the deploy that it began"
        assert (await user.ask("GET", "/api/v1/billing/events")).body["total"] == 1

        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(GRACE_S):
            assert await process.wait() == 0
    finally:
        await _killed(process)
        if worker is not None:
            await worker.stop()


@pytest.mark.parametrize("secret", ["", "short"])
async def test_without_a_good_identity_secret_it_says_why_and_does_not_start(spawn: Any, secret: str) -> None:
    process = await spawn(IDENTITY_SECRET=secret, HOSTER_PORT="http")
    async with asyncio.timeout(START_S):
        _, said = await process.communicate()

    assert process.returncode == 2
    assert b"IDENTITY_SECRET" in said
    assert b"HOSTER_PORT" in said
    assert b"Traceback" not in said


async def test_a_database_without_its_key_is_refused(spawn: Any, tmp_path: Path) -> None:
    process = await spawn()
    await _listening(process)
    await _killed(process)
    (tmp_path / "data" / "secrets.key").unlink()

    process = await spawn()
    async with asyncio.timeout(START_S):
        _, said = await process.communicate()
    assert process.returncode == 2
    assert b"restore the key" in said


async def _begin_upload(user: User) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Of an order, the head and the beginning of its body are sent, and no more."""
    url = URL(user.base_url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    headers = {**user.headers("POST", DEPLOYMENTS, "upload"), "Host": "h", "Content-Length": "1000"}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    writer.write(f'POST {DEPLOYMENTS} HTTP/1.1\r\n{head}\r\n{{"name": '.encode())
    await writer.drain()
    return reader, writer


async def test_told_to_stop_it_answers_who_waits_and_ends_who_listens(
    spawn: Any, session: aiohttp.ClientSession
) -> None:
    process = await spawn()
    worker = None
    try:
        await _listening(process)
        worker = await join_worker(spawn.base_url, session)
        worker.stream_pieces = [b"id: e-1\nevent: log\ndata: {}\n\n"]
        user = User(spawn.base_url, session)
        template = (await user.ask("GET", "/api/v1/templates?q=hello")).body["items"][0]["id"]
        created = await user.ask("POST", DEPLOYMENTS, {"name": "x", "template_id": template})
        at = f"{DEPLOYMENTS}/{created.body['id']}"
        await user.until(created.body["id"], "running")

        waiting = [
            asyncio.create_task(user.ask("GET", f"{at}/wait?status=stopped&timeout=300")) for _ in range(5)
        ]
        reading = [
            asyncio.create_task(user.ask("GET", f"{at}/monitoring/{what}stream"))
            for what in ("logs/", "stats/", "events/", "")
        ]
        answer_to_half, half = await _begin_upload(user)

        async def all_are_there() -> bool:
            return worker.open_streams == 6 and not any(one.done() for one in waiting)

        await eventually(all_are_there, 30)
        began = asyncio.get_running_loop().time()
        process.send_signal(signal.SIGTERM)
        for answer in await asyncio.gather(*waiting):
            assert (answer.status, answer.body["code"]) == (408, "not_yet")
        for answer in await asyncio.gather(*reading):
            assert (answer.status, answer.raw.count(b"event: log")) == (200, answer.raw.count(b"data: {}"))
            assert b"event: log" in answer.raw
        refused = await answer_to_half.read()
        half.close()
        assert (refused[:13], b'"service_stopping"' in refused) == (b"HTTP/1.1 503 ", True)
        async with asyncio.timeout(GRACE_S):
            assert await process.wait() == 0
        assert asyncio.get_running_loop().time() - began < GRACE_S

        process = await spawn()
        await _listening(process)
        assert (await user.ask("GET", DEPLOYMENTS)).body["total"] == 1
    finally:
        await _killed(process)
        if worker is not None:
            await worker.stop()
