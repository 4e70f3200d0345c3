"""Starts relays in front of the origins of a test, on both event loops."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import uvloop

from tests.servers.relay_under_test import RelayUnderTest, Start, start_relay_under_test


@pytest.fixture
async def start_relay() -> AsyncIterator[Start]:
    """As `start_relay_under_test`; what was started is closed at the end."""
    started: list[RelayUnderTest] = []

    async def start(*origin_ports: int, **settings: Any) -> RelayUnderTest:
        under_test = await start_relay_under_test(*origin_ports, **settings)
        started.append(under_test)
        return under_test

    yield start
    for under_test in started:
        await under_test.relay.close()


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Every test of the engine runs on both loops."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
