"""Routes of projects: parse, call, respond."""

import re
import secrets
from dataclasses import replace
from typing import Annotated, Literal

from aiohttp import web
from pydantic import Field

from shared.clock import Clock
from shared.problem import FieldFault
from worker.deploys.commands import DeployCommands
from worker.mesh.table import Visibility
from worker.projects.commands import NewProject, ProjectCommands
from worker.projects.model import Project, checked_domain, checked_project_id
from worker.projects.view import ProjectView
from worker.requests import Body, RequestInvalid, one_of, parse_body, whole_number
from worker.runtime.engine import Limits

PAGE = 50
LARGEST_PAGE = 200

_SUFFIX_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


class LimitsBody(Body):
    cpu: Annotated[float, Field(ge=0.01, le=64)] = 1.0
    memory_mb: Annotated[int, Field(ge=6, le=1_048_576)] = 512
    disk_mb: Annotated[int, Field(ge=1, le=16_777_216)] = 1024
    pids: Annotated[int, Field(ge=2, le=32_768)] = 256


class CreateBody(Body):
    org_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$")]
    project_id: str | None = None
    name: Annotated[str, Field(max_length=200)] | None = None
    domains: Annotated[tuple[str, ...], Field(max_length=50, strict=False)] = ()
    visibility: Literal["private", "public"] = "private"
    webhook_secret: Annotated[str, Field(min_length=8, max_length=1024)] | None = None
    limits: LimitsBody = LimitsBody()


class EnvironmentBody(Body):
    env: dict[str, str | None]
    mode: Literal["merge", "replace"] = "merge"


class DomainBody(Body):
    domain: str


class VisibilityBody(Body):
    visibility: Literal["private", "public"]


class ProjectRoutes:
    """`reserved_suffixes` are the platform's own, below which nobody can claim a domain."""

    def __init__(
        self,
        commands: ProjectCommands,
        deploys: DeployCommands,
        view: ProjectView,
        clock: Clock,
        reserved_suffixes: tuple[str, ...],
    ) -> None:
        self._commands = commands
        self._deploys = deploys
        self._view = view
        self._clock = clock
        self._reserved = reserved_suffixes

    def add_to(self, app: web.Application) -> None:
        app.add_routes(
            [
                web.post("/projects", self.create),
                web.get("/projects", self.page),
                web.get("/projects/{project_id}", self.get),
                web.delete("/projects/{project_id}", self.delete),
                web.post("/projects/{project_id}/env", self.set_environment),
                web.post("/projects/{project_id}/domains", self.add_domain),
                web.delete("/projects/{project_id}/domains", self.remove_domain),
                web.post("/projects/{project_id}/visibility", self.set_visibility),
            ]
        )

    async def create(self, request: web.Request) -> web.Response:
        body = parse_body(CreateBody, await request.read())
        new = self._new_project(body)
        project = await self._commands.create(new, self._reserved)
        headers = {"Location": f"/projects/{project.project_id}"}
        return web.json_response(self._view.created(project), status=201, headers=headers)

    async def page(self, request: web.Request) -> web.Response:
        limit = whole_number(request.query, "limit", PAGE, least=1, most=LARGEST_PAGE)
        items, cursor = await self._view.page(request.query.get("cursor", ""), limit)
        return web.json_response({"items": items, "next_cursor": cursor})

    async def get(self, request: web.Request) -> web.Response:
        project = await self._commands.get(project_id_in(request))
        return web.json_response(await self._view.one(project))

    async def delete(self, request: web.Request) -> web.Response:
        project_id = project_id_in(request)
        volumes = one_of(request.query, "volumes", "keep", ("keep", "delete"))
        await self._commands.delete(project_id, drop_volumes=volumes == "delete")
        return web.json_response({"project_id": project_id, "deleted": True})

    async def set_environment(self, request: web.Request) -> web.Response:
        project_id = project_id_in(request)
        body = parse_body(EnvironmentBody, await request.read())
        merge = body.mode == "merge"
        if not merge and None in body.env.values():
            raise RequestInvalid([FieldFault("env", "null removes a variable, which needs mode merge")])
        apply = one_of(request.query, "apply", "0", ("0", "1")) == "1"
        keys = await self._commands.set_environment(project_id, body.env, merge=merge)
        deploy = await self._deploys.redeploy(project_id) if apply else None
        if deploy is None:
            return web.json_response({"keys": keys, "applied": False})
        return web.json_response({"keys": keys, "applied": True, "deploy_id": deploy.deploy_id})

    async def add_domain(self, request: web.Request) -> web.Response:
        body = parse_body(DomainBody, await request.read())
        domains = await self._commands.add_domain(project_id_in(request), body.domain, self._reserved)
        return web.json_response({"domains": domains})

    async def remove_domain(self, request: web.Request) -> web.Response:
        body = parse_body(DomainBody, await request.read())
        domains = await self._commands.remove_domain(project_id_in(request), body.domain)
        return web.json_response({"domains": domains})

    async def set_visibility(self, request: web.Request) -> web.Response:
        body = parse_body(VisibilityBody, await request.read())
        await self._commands.set_visibility(project_id_in(request), Visibility(body.visibility))
        return web.json_response({"visibility": body.visibility})

    def _new_project(self, body: CreateBody) -> NewProject:
        project_id = (
            generated_id(body.name) if body.project_id is None else checked_project_id(body.project_id)
        )
        project = Project(
            project_id=project_id,
            org_id=body.org_id,
            name=body.name or project_id,
            visibility=Visibility(body.visibility),
            limits=Limits(**body.limits.model_dump()),
            domains=tuple(sorted({checked_domain(domain, self._reserved) for domain in body.domains})),
            created_at=self._clock.now(),
        )
        return NewProject(replace(project), body.webhook_secret)


def project_id_in(request: web.Request) -> str:
    """Checked before it is used for anything, whatever the path's encoding was. Raises ProjectIdInvalid."""
    return checked_project_id(request.match_info["project_id"])


def generated_id(name: str | None) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", (name or "").lower()).strip("-")[:40].strip("-") or "app"
    return f"{slug}-{''.join(secrets.choice(_SUFFIX_ALPHABET) for _ in range(8))}"
