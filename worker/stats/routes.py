"""The routes of numbers: `GET /stats`, `GET /projects/{project_id}/stats`, and their streams."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from worker.stats.host_stats import HostStats
from worker.stats.project_stats import ProjectStats
from worker.streams.sse import OpenStreams, last_event_id, send_events

RequireProject = Callable[[str], Awaitable[None]]
"""Raises the domain error for a project that this node does not have."""


def add_project_stats_routes(
    app: web.Application, stats: ProjectStats, streams: OpenStreams, require_project: RequireProject
) -> None:
    async def report(request: web.Request) -> web.Response:
        project_id = request.match_info["project_id"]
        await require_project(project_id)
        return web.json_response(await stats.report(project_id))

    async def stream(request: web.Request) -> web.StreamResponse:
        project_id = request.match_info["project_id"]
        await require_project(project_id)
        with streams.admit():
            return await send_events(request, stats.follow(project_id, last_event_id(request)), streams)

    app.router.add_get("/projects/{project_id}/stats", report)
    app.router.add_get("/projects/{project_id}/stats/stream", stream, allow_head=False)


def add_host_stats_routes(app: web.Application, stats: HostStats, streams: OpenStreams) -> None:
    async def report(_request: web.Request) -> web.Response:
        return web.json_response(await stats.report())

    async def stream(request: web.Request) -> web.StreamResponse:
        with streams.admit():
            return await send_events(request, stats.follow(last_event_id(request)), streams)

    app.router.add_get("/stats", report)
    app.router.add_get("/stats/stream", stream, allow_head=False)
