"""Route of a project's events."""

from aiohttp import web

from shared.clock import rfc3339
from worker.events.log import KEPT_EVENTS, EventLog
from worker.projects.api import project_id_in
from worker.projects.commands import ProjectCommands
from worker.requests import whole_number


class EventRoutes:
    def __init__(self, log: EventLog, projects: ProjectCommands) -> None:
        self._log = log
        self._projects = projects

    def add_to(self, app: web.Application) -> None:
        app.add_routes([web.get("/projects/{project_id}/events", self.newest)])

    async def newest(self, request: web.Request) -> web.Response:
        project = await self._projects.get(project_id_in(request))
        limit = whole_number(request.query, "limit", 50, least=1, most=KEPT_EVENTS)
        events = await self._log.newest(project.project_id, limit, request.query.get("type"))
        items = [
            {
                "id": str(event.event_id),
                "type": event.kind,
                "container": event.container,
                "message": event.message,
                "timestamp": rfc3339(event.at),
            }
            for event in events
        ]
        return web.json_response({"items": items})
