"""Carries a live stream to one HTTP client as Server-Sent Events."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from aiohttp import web

from shared.sse import HEADERS, KEEPALIVE, KEEPALIVE_EVERY_S, RETRY
from worker.errors import TooManyStreams

MAX_STREAMS = 1000
LOOK_EVERY_S = 0.5
"""How long the absence of a client, or the end of the service, may stay unnoticed while nothing is to be sent."""
WRITE_DEADLINE_S = 60.0
"""A client that takes not a byte for so long is cut off; it comes back with its last event id."""


class Reading(Protocol):
    """One reader's place in a stream."""

    async def next(self, timeout: float) -> bytes | None:
        """Encoded events; `b""` when none came within `timeout` seconds; None when the stream has ended."""

    async def close(self) -> None: ...


class OpenStreams:
    """Counts the streams of the whole agent, and ends them all when it stops. `comment_every_s` is for all of them."""

    def __init__(self, limit: int = MAX_STREAMS, comment_every_s: float = KEEPALIVE_EVERY_S) -> None:
        self._limit = limit
        self.comment_every_s = comment_every_s
        self._open = 0
        self.ending = False

    @contextmanager
    def admit(self) -> Iterator[None]:
        """Raises TooManyStreams."""
        if self._open >= self._limit:
            raise TooManyStreams
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1

    async def end_all(self, _app: web.Application) -> None:
        """For `on_shutdown`: handlers of streams return by themselves, so that stopping does not have to wait for readers."""
        self.ending = True


def last_event_id(request: web.Request) -> str | None:
    """The header, which browsers send by themselves, or else the parameter of the same meaning."""
    return request.headers.get("Last-Event-ID") or request.query.get("last_event_id") or None


async def send_events(request: web.Request, reading: Reading, streams: OpenStreams) -> web.StreamResponse:
    """Until the stream ends, the client leaves, or the service stops. Closes `reading`."""
    response = web.StreamResponse(headers=HEADERS)
    try:
        await response.prepare(request)
        await _write(request, response, RETRY)
        await _pump(request, response, reading, streams)
    except (ConnectionError, TimeoutError):
        # The client is gone or takes nothing any more; there is nobody left to tell.
        if request.transport is not None:
            request.transport.abort()
    finally:
        await reading.close()
    return response


async def _pump(
    request: web.Request, response: web.StreamResponse, reading: Reading, streams: OpenStreams
) -> None:
    loop = asyncio.get_running_loop()
    comment_at = loop.time() + streams.comment_every_s
    while not streams.ending and _is_connected(request):
        events = await reading.next(LOOK_EVERY_S)
        if events is None:
            break
        if loop.time() >= comment_at:
            comment_at += streams.comment_every_s
            events += KEEPALIVE
        if events:
            await _write(request, response, events)


async def _write(request: web.Request, response: web.StreamResponse, octets: bytes) -> None:
    if not _is_connected(request):
        raise ConnectionResetError
    async with asyncio.timeout(WRITE_DEADLINE_S):
        await response.write(octets)


def _is_connected(request: web.Request) -> bool:
    return request.transport is not None and not request.transport.is_closing()
