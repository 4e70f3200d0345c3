"""Starts relays in front of the origins of a test, on both event loops."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest
import uvloop

from shared.clock import SystemClock
from shared.ids import request_ids
from shared.relay.director import Target, UpstreamSpec
from shared.relay.limits import Limits
from shared.relay.server import Relay
from tests.servers.relay_under_test import ForwardEverything, RelayUnderTest, Start


@pytest.fixture
async def start_relay() -> AsyncIterator[Start]:
    """Starts a relay before `origin_port` (or several), with any `UpstreamSpec` timeouts, `Limits` and director settings."""
    relays: list[Relay] = []

    async def start(
        *origin_ports: int, limits: Limits | None = None, spec: UpstreamSpec | None = None, **director: object
    ) -> RelayUnderTest:
        targets = tuple(Target("127.0.0.1", port) for port in origin_ports)
        spec = replace(spec or UpstreamSpec(name="origin", targets=()), targets=targets) if targets else spec
        assert spec is not None
        forwarder = ForwardEverything(spec, **director)  # type: ignore[arg-type]  # settings as the test names them
        clock = SystemClock()
        relay = Relay(forwarder, limits=limits, clock=clock, new_request_id=request_ids(clock))
        relays.append(relay)
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        await relay.serve(listener)
        return RelayUnderTest(relay, forwarder, listener.getsockname()[1])

    yield start
    for relay in relays:
        await relay.close()


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Every test of the engine runs on both loops."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
