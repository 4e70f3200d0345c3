"""An HTTP server with some of the worker's routes."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from shared.clock import SystemClock
from shared.ids import request_ids
from shared.problem import Problem
from shared.problem_middleware import problem_middleware
from worker.errors import EngineUnavailable, QueryInvalid, TooManyStreams
from worker.streams.sse import OpenStreams


class NoSuchProject(Exception):
    """Stands for the worker's own error: the routes only pass it on."""


PROBLEMS = {
    NoSuchProject: lambda _error: Problem(404, "project_not_found", "no"),
    EngineUnavailable: lambda error: Problem(503, "engine_unavailable", str(error)),
    TooManyStreams: lambda error: Problem(503, "too_many_streams", str(error)),
    QueryInvalid: lambda error: Problem(422, "invalid_query", str(error)),
}


@asynccontextmanager
async def serving(
    add_routes: Callable[[web.Application, OpenStreams], None], streams: OpenStreams | None = None
) -> AsyncIterator[str]:
    """The address of a server with these routes."""
    app = web.Application(middlewares=[problem_middleware(PROBLEMS, request_ids(SystemClock()))])
    opened = OpenStreams() if streams is None else streams
    add_routes(app, opened)
    app.on_shutdown.append(opened.end_all)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
