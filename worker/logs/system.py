"""The agent's own log: the last events, kept in memory, for `GET /system/logs` and its stream.

Secrets are out already: `shared.log.configure_logging(..., system_logs)` runs this after its redaction.
"""

import asyncio
import json
import threading
from collections.abc import Mapping, Sequence

from aiohttp import web

from shared.clock import Clock
from shared.log import LogEvent
from shared.sse import encode_event
from worker.errors import QueryInvalid
from worker.streams.event_id import epoch_of, start_after
from worker.streams.replay import RingReading
from worker.streams.ring import Pulse, Ring
from worker.streams.sse import OpenStreams, last_event_id, send_events

KEPT_EVENTS = 1000
KEPT_BYTES = 1024 * 1024
DEFAULT_LIMIT = 100


class SystemLogs:
    """A structlog processor. Made on the main thread; other threads may log."""

    def __init__(self, clock: Clock) -> None:
        self._epoch = epoch_of(clock.now())
        self._pulse = Pulse()
        self._ring: Ring[Mapping[str, object]] = Ring(
            self._pulse, max_items=KEPT_EVENTS, max_bytes=KEPT_BYTES
        )
        self._thread = threading.get_ident()
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def __call__(self, _logger: object, _method: str, event: LogEvent) -> LogEvent:
        text = json.dumps(event, default=str)
        if threading.get_ident() != self._thread and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._keep, text)
        else:
            self._keep(text)
        return event

    def last(self, limit: int) -> Sequence[Mapping[str, object]]:
        """Oldest first."""
        return self._ring.kept()[-limit:] if limit else ()

    def follow(self, last_event: str | None) -> RingReading[Mapping[str, object]]:
        self._loop = asyncio.get_running_loop()
        start = start_after(last_event, self._epoch, self._ring, newest=DEFAULT_LIMIT)
        return RingReading(self._ring, self._pulse, start, self._encode)

    def _keep(self, text: str) -> None:
        # Before the first reader other threads come here directly.
        with self._lock:
            self._ring.append(json.loads(text), len(text))

    def _encode(self, event: Mapping[str, object], sequence: int) -> bytes:
        return encode_event("log", event, f"{self._epoch}-{sequence}")


def add_system_log_routes(app: web.Application, logs: SystemLogs, streams: OpenStreams) -> None:
    async def recent(request: web.Request) -> web.Response:
        return web.json_response({"logs": logs.last(_limit(request.query.get("limit")))})

    async def stream(request: web.Request) -> web.StreamResponse:
        with streams.admit():
            return await send_events(request, logs.follow(last_event_id(request)), streams)

    app.router.add_get("/system/logs", recent)
    app.router.add_get("/system/logs/stream", stream, allow_head=False)


def _limit(text: str | None) -> int:
    if not text:
        return DEFAULT_LIMIT
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise QueryInvalid("limit", f"must be a number from 0 to {KEPT_EVENTS}")
    return min(int(text), KEPT_EVENTS)
