"""A stream ends with the credential that let it in, in whichever process it is; an order is answered to its end."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest

from shared.clock import SystemClock
from tests.integration.gateway_data.conftest import (
    GatewayProcess,
    SignUp,
    StartGateway,
    Upstream,
    Visitor,
    start_gateway,
    until,
)
from tests.integration.gateway_processes.conftest import StartProcesses, serving, until_all_serve

__all__ = ["start_gateway"]

YOUNG_S = 1.2
"""For so long an answer is left alone."""


class Stream:
    """One answer, read on a connection of its own. `ended_at` is on the monotonic clock."""

    def __init__(
        self, client: aiohttp.ClientSession, method: str, url: str, headers: Mapping[str, str]
    ) -> None:
        self.begun = asyncio.Event()
        self.is_whole = False
        self.ended_at = 0.0
        self.reading = asyncio.ensure_future(self._read(client, method, url, headers))

    async def _read(
        self, client: aiohttp.ClientSession, method: str, url: str, headers: Mapping[str, str]
    ) -> None:
        while True:
            async with client.request(method, url, headers=headers) as response:
                if response.status == 503 and "counters_unavailable" in await response.text():
                    # An order, when Redis was late, as on a busy machine it may be: nothing was done.
                    await asyncio.sleep(float(response.headers["Retry-After"]))
                    continue
                assert response.status in {200, 202}, await response.text()
                try:
                    async for _ in response.content.iter_any():
                        self.begun.set()
                    self.is_whole = True
                except aiohttp.ClientPayloadError:
                    self.is_whole = False
                self.ended_at = time.monotonic()
                return

    @property
    def goes_on(self) -> bool:
        return not self.reading.done()

    async def is_cut(self) -> None:
        """Within two seconds, in looks: a moment in which nothing runs at all is as long as any other."""
        for _ in range(200):
            if self.reading.done():
                break
            await asyncio.sleep(0.01)
        assert self.reading.done()
        await self.reading
        assert not self.is_whole


OpenStream = Callable[..., Stream]


@pytest.fixture
async def open_stream() -> AsyncIterator[OpenStream]:
    opened: list[Stream] = []
    async with AsyncExitStack() as stack:

        def begin(
            gateway: GatewayProcess, headers: Mapping[str, str], method: str = "GET", path: str = "stream"
        ) -> Stream:
            client = aiohttp.ClientSession()
            stack.push_async_callback(client.close)
            opened.append(Stream(client, method, f"{gateway.url}/api/v1/{path}", headers))
            return opened[-1]

        yield begin
        for stream in opened:
            stream.reading.cancel()
        await asyncio.gather(*(stream.reading for stream in opened), return_exceptions=True)


async def until_lasting(*streams: Stream) -> None:
    async with asyncio.timeout(45):
        for stream in streams:
            await stream.begun.wait()
    await asyncio.sleep(YOUNG_S)


async def test_a_logout_ends_the_streams_of_its_session_in_every_process_and_nothing_else(
    start_processes: StartProcesses, sign_up: SignUp, upstream: Upstream, open_stream: OpenStream
) -> None:
    gateway = await start_processes()
    ada, bob = await sign_up(gateway), await sign_up(gateway, "bob@example.org")
    ada_elsewhere = await sign_up(gateway)  # signs in once more
    await until_all_serve(ada)
    adas = [open_stream(gateway, ada.headers) for _ in range(12)]
    while not all(relay["in_flight"] for relay in await serving(bob)):
        adas.append(open_stream(gateway, ada.headers))  # who has much to do takes no connections
        await asyncio.sleep(0.1)
    others = [
        open_stream(gateway, bob.headers),
        open_stream(gateway, ada_elsewhere.headers),
        open_stream(gateway, ada.headers, "POST", "deployments?do=perform-then-tell"),
    ]
    await until_lasting(*adas, *others)

    async with ada.session.post(f"{gateway.url}/mod/auth/logout", headers=ada.headers) as response:
        assert response.status == 204

    for stream in adas:
        await stream.is_cut()
    await until(lambda: upstream.streams == len(others))
    await asyncio.sleep(YOUNG_S)
    assert all(stream.goes_on for stream in others)
    upstream.hold.set()
    for stream in others:
        await stream.reading
        assert stream.is_whole
    (event,) = (await ada_elsewhere.get("/mod/usage/events"))["items"]
    assert (event["status"], event["cost"]) == (202, 1.0)
    assert "answers_cut" in gateway.log()


async def test_a_suspended_user_and_a_deleted_key_lose_their_streams(
    start_gateway: StartGateway, sign_up: SignUp, upstream: Upstream, open_stream: OpenStream
) -> None:
    gateway = await start_gateway()
    ada, bob = await sign_up(gateway), await sign_up(gateway, "bob@example.org")
    keys = [await _new_key(bob, name) for name in ("one", "two")]
    adas = open_stream(gateway, ada.headers)
    bobs, by_deleted, by_kept = [
        open_stream(gateway, headers)
        for headers in (bob.headers, *({"X-API-Key": str(key["key"])} for key in keys))
    ]
    await until_lasting(adas, bobs, by_deleted, by_kept)

    suspended = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "users", "suspend", "ada@example.org"),
        env=gateway.environment | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
    )
    assert await suspended.wait() == 0
    await adas.is_cut()
    assert by_deleted.goes_on

    async with bob.session.delete(f"{gateway.url}/mod/keys/{keys[0]['id']}", headers=bob.headers) as response:
        assert response.status == 204
    await by_deleted.is_cut()

    await asyncio.sleep(YOUNG_S)
    assert bobs.goes_on
    assert by_kept.goes_on


async def test_a_stream_ends_when_its_key_expires(
    start_gateway: StartGateway, sign_up: SignUp, upstream: Upstream, open_stream: OpenStream
) -> None:
    gateway = await start_gateway()
    ada = await sign_up(gateway)
    life_s = 5
    ends_at = time.monotonic() + life_s
    expires_at = datetime.fromtimestamp(SystemClock().now() + life_s, UTC).isoformat()
    key = await _new_key(ada, "short", expires_at=expires_at)
    lasting, brief = (
        open_stream(gateway, ada.headers),
        open_stream(gateway, {"X-API-Key": str(key["key"])}),
    )
    await until_lasting(lasting, brief)

    await asyncio.sleep(ends_at - time.monotonic())
    await brief.is_cut()

    assert brief.ended_at >= ends_at
    assert lasting.goes_on


async def _new_key(visitor: Visitor, name: str, **more: object) -> dict[str, object]:
    body = {"name": name, **more}
    async with visitor.session.post(
        f"{visitor.url}/mod/keys", json=body, headers=visitor.headers
    ) as response:
        assert response.status == 201, await response.text()
        return dict(await response.json())
