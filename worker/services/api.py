"""Routes of add-ons: parse, call, respond. No answer holds a credential."""

from collections.abc import Sequence
from typing import Annotated, Any

from aiohttp import web
from pydantic import Field

from shared.clock import rfc3339
from worker.projects.model import checked_project_id
from worker.requests import Body, one_of, parse_body
from worker.services.catalog import Catalog
from worker.services.commands import AddOnCommands, AddOnOrder
from worker.services.model import AddOn, Link


class InstallBody(Body):
    service: Annotated[str, Field(min_length=1, max_length=64)]
    org_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$")]
    project_id: str | None = None
    name: Annotated[str, Field(pattern=r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$")] | None = None
    version: Annotated[str, Field(min_length=1, max_length=32)] | None = None
    variable: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")] | None = None


class AddOnRoutes:
    def __init__(self, commands: AddOnCommands, catalog: Catalog) -> None:
        self._commands = commands
        self._catalog = catalog

    def add_to(self, app: web.Application) -> None:
        app.add_routes(
            [
                web.post("/services/install", self.install),
                web.get("/services", self.all),
                web.get("/services/catalog", self.catalog),
                web.get("/services/{service_id}", self.get),
                web.delete("/services/{service_id}", self.remove),
            ]
        )

    async def install(self, request: web.Request) -> web.Response:
        body = parse_body(InstallBody, await request.read())
        if body.project_id is not None:
            checked_project_id(body.project_id)
        order = AddOnOrder(
            definition=self._catalog.definition(body.service, body.version),
            any_version=body.version is None,
            org_id=body.org_id,
            name=body.name,
            project_id=body.project_id,
            variable=body.variable,
        )
        addon = await self._commands.install(order)
        shown = _addon_json(*await self._commands.get(addon.addon_id))
        headers = {"Location": f"/services/{addon.addon_id}"}
        return web.json_response(shown, status=202, headers=headers)

    async def all(self, request: web.Request) -> web.Response:
        found = await self._commands.all(request.query.get("org_id"))
        return web.json_response({"items": [_addon_json(addon, links) for addon, links in found]})

    async def get(self, request: web.Request) -> web.Response:
        return web.json_response(_addon_json(*await self._commands.get(request.match_info["service_id"])))

    async def remove(self, request: web.Request) -> web.Response:
        addon_id = request.match_info["service_id"]
        volumes = one_of(request.query, "volumes", "keep", ("keep", "delete"))
        await self._commands.remove(addon_id, drop_volume=volumes == "delete")
        kept = volumes == "keep"
        return web.json_response(
            {"service_id": addon_id, "deleted": True, "volumes": "kept" if kept else "deleted"}
        )

    async def catalog(self, _request: web.Request) -> web.Response:
        items = [
            {
                "service": service,
                "title": entry.title,
                "versions": list(entry.versions),
                "default_version": entry.default_version,
                "variable": entry.variable,
            }
            for service, entry in self._catalog.items()
        ]
        return web.json_response({"items": items})


def _addon_json(addon: AddOn, links: Sequence[Link]) -> dict[str, Any]:
    definition = addon.definition
    return {
        "service_id": addon.addon_id,
        "service": definition.service,
        "name": addon.name,
        "org_id": addon.org_id,
        "version": definition.version,
        "image": definition.image,
        "status": addon.state,
        "reason": addon.reason,
        "host": addon.host,
        "port": definition.port,
        "linked": [{"project_id": link.project_id, "variable": link.variable} for link in links],
        "created_at": rfc3339(addon.created_at),
    }
