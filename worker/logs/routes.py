"""The routes of projects' logs: `GET /projects/{project_id}/logs` and `/logs/stream`."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from shared.clock import Clock
from worker.logs.project_logs import ProjectLogs
from worker.logs.query import read_query
from worker.streams.sse import OpenStreams, last_event_id, send_events

RequireProject = Callable[[str], Awaitable[None]]
"""Raises the domain error for a project that this node does not have."""


def add_log_routes(
    app: web.Application,
    logs: ProjectLogs,
    streams: OpenStreams,
    require_project: RequireProject,
    clock: Clock,
) -> None:
    async def recent(request: web.Request) -> web.Response:
        project_id = request.match_info["project_id"]
        wanted = read_query(request.query, clock.now())
        await require_project(project_id)
        items = ",".join(line.as_json(line_id) for line_id, line in await logs.recent(project_id, wanted))
        return web.Response(text=f'{{"items":[{items}]}}', content_type="application/json")

    async def stream(request: web.Request) -> web.StreamResponse:
        project_id = request.match_info["project_id"]
        wanted = read_query(request.query, clock.now())
        await require_project(project_id)
        with streams.admit():
            reading = await logs.follow(project_id, wanted, last_event_id(request))
            return await send_events(request, reading, streams)

    app.router.add_get("/projects/{project_id}/logs", recent)
    app.router.add_get("/projects/{project_id}/logs/stream", stream, allow_head=False)
