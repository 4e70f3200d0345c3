"""Route of a release's files: parse, call, respond."""

from typing import Any

from aiohttp import web

from shared.clock import rfc3339
from worker.files.listing import ReleaseFiles
from worker.files.path import checked_path, joined
from worker.files.tar_listing import FileEntry
from worker.projects.api import project_id_in
from worker.projects.commands import ProjectCommands


class FileRoutes:
    def __init__(self, files: ReleaseFiles, projects: ProjectCommands) -> None:
        self._files = files
        self._projects = projects

    def add_to(self, app: web.Application) -> None:
        app.add_routes([web.get("/projects/{project_id}/files", self.list)])

    async def list(self, request: web.Request) -> web.Response:
        project = await self._projects.get(project_id_in(request))
        names = checked_path(request.query.get("path", ""))
        listing = await self._files.list(project, request.query.get("service") or None, names)
        return web.json_response(
            {
                "path": joined(names),
                "items": [_entry_json(entry) for entry in listing.entries],
                "truncated": listing.truncated,
            }
        )


def _entry_json(entry: FileEntry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "size": entry.size,
        "is_dir": entry.is_dir,
        "mtime": rfc3339(entry.mtime),
        "mode": f"{entry.mode:04o}",
        "link": entry.link,
    }
