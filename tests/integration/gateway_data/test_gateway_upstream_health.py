"""Active health checks: who is asked, and who hears of what was found."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

from gateway.observation.upstream_health import UpstreamHealth
from gateway.routes.route import HealthCheck, Upstream
from gateway.upstream_client import UpstreamClient
from shared.clock import SystemClock
from shared.relay.director import Target, UpstreamSpec
from tests.servers.raw_origin import OriginConnection, raw_origin
from tests.servers.relay_under_test import until


@asynccontextmanager
async def checking(upstreams: Mapping[str, Upstream]) -> AsyncIterator[UpstreamHealth]:
    client = UpstreamClient()
    health = UpstreamHealth(client, lambda: upstreams, SystemClock())
    running = asyncio.create_task(health.run())
    try:
        yield health
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await client.close()


async def test_a_change_of_health_is_told_and_a_target_that_is_not_checked_any_more_counts_as_well() -> None:
    status = b"503 Unwell"

    async def answer(connection: OriginConnection) -> None:
        while True:
            await connection.head()
            await connection.send(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")

    heard: list[tuple[str, Target, bool]] = []

    def listen(upstream: str, target: Target, *, healthy: bool) -> None:
        heard.append((upstream, target, healthy))

    async with raw_origin(answer) as origin:
        target = Target("127.0.0.1", origin.port)
        checked = Upstream(UpstreamSpec(name="shop", targets=(target,)), HealthCheck("/health", 0.1), None)
        upstreams = {"shop": checked}
        async with checking(upstreams) as health:
            await until(lambda: health.of(checked))
            health.tell(listen)
            status = b"200 OK"
            await until(lambda: len(heard) == 2)
            status = b"500 No"
            await until(lambda: len(heard) == 3)
            upstreams["shop"] = Upstream(checked.spec, None, None)
            await until(lambda: len(heard) == 4)

    assert heard == [("shop", target, healthy) for healthy in (False, True, False, True)]
