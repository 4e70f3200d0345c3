"""Routes of a project's events."""

from aiohttp import web

from worker.events.log import KEPT_EVENTS, EventLog
from worker.events.stream import EventReading, event_json, place_of
from worker.projects.api import project_id_in
from worker.projects.commands import ProjectCommands
from worker.requests import whole_number
from worker.streams.sse import OpenStreams, last_event_id, send_events


class EventRoutes:
    def __init__(self, log: EventLog, projects: ProjectCommands, streams: OpenStreams) -> None:
        self._log = log
        self._projects = projects
        self._streams = streams

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/projects/{project_id}/events", self.newest)
        app.router.add_get("/projects/{project_id}/events/stream", self.stream, allow_head=False)

    async def newest(self, request: web.Request) -> web.Response:
        project = await self._projects.get(project_id_in(request))
        limit = whole_number(request.query, "limit", 50, least=1, most=KEPT_EVENTS)
        events = await self._log.newest(project.project_id, limit, request.query.get("type"))
        return web.json_response({"items": [event_json(event) for event in events]})

    async def stream(self, request: web.Request) -> web.StreamResponse:
        project = await self._projects.get(project_id_in(request))
        tail = whole_number(request.query, "tail", 0, least=0, most=KEPT_EVENTS)
        with self._streams.admit():
            place = await place_of(self._log, project, last_event_id(request), tail)
            reading = EventReading(self._log, self._projects, project, place)
            return await send_events(request, reading, self._streams)
