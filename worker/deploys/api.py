"""Routes of deploys, releases and of starting and stopping: parse, call, respond."""

import re
import shlex
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from aiohttp import web
from pydantic import Field, field_validator

from shared.clock import rfc3339
from worker.deploys.commands import DeployCommands
from worker.deploys.model import Deploy, DeployRequest, HealthCheck, Release, Step
from worker.projects.api import project_id_in
from worker.projects.model import Project
from worker.projects.view import ProjectView
from worker.requests import Body, members_of, parse_body, whole_number

LONGEST_WAIT_S = 600

_OTHER_SOURCES = frozenset({"compose", "web", "git", "archive_url", "sha256", "release", "dockerfile"})
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,254}")
_PATH = re.compile(r"/[\x21-\x22\x24-\x7e]{0,2047}")


class UnsupportedSource(Exception):
    """The body names a source that this worker cannot deploy."""


class HealthCheckBody(Body):
    path: str | None = None
    interval_s: Annotated[float, Field(ge=0.05, le=60)] | None = None
    timeout_s: Annotated[float, Field(gt=0, le=60)] = 5.0
    deadline_s: Annotated[float, Field(gt=0, le=900)] = 60.0

    @field_validator("path")
    @classmethod
    def check_path(cls, path: str | None) -> str | None:
        if path is not None and _PATH.fullmatch(path) is None:
            raise ValueError("must begin with / and hold printable ASCII without spaces or #")
        return path


class DeployBody(Body):
    image: str
    port: Annotated[int, Field(ge=1, le=65535)]
    command: list[str] | str | None = None
    healthcheck: HealthCheckBody | None = None
    idempotency_key: Annotated[str, Field(min_length=1, max_length=200)] | None = None

    @field_validator("image")
    @classmethod
    def check_image(cls, image: str) -> str:
        if _IMAGE.fullmatch(image) is None or image.startswith("sha256:"):
            raise ValueError("must be an image name such as localhost/hello:1 or nginx:1.27")
        return image

    @field_validator("command")
    @classmethod
    def split_command(cls, command: list[str] | str | None) -> list[str] | None:
        words = shlex.split(command) if isinstance(command, str) else command
        if words is not None and (not words or any("\0" in word for word in words)):
            raise ValueError("must have at least one word, and no NUL character")
        return words

    def request(self) -> DeployRequest:
        return DeployRequest(
            image=self.image,
            port=self.port,
            command=None if self.command is None else tuple(self.command),
            healthcheck=HealthCheck()
            if self.healthcheck is None
            else HealthCheck(**self.healthcheck.model_dump()),
        )


class DeployRoutes:
    def __init__(self, commands: DeployCommands, view: ProjectView) -> None:
        self._commands = commands
        self._view = view

    def add_to(self, app: web.Application) -> None:
        app.add_routes(
            [
                web.post("/projects/{project_id}/deploy", self.deploy),
                web.get("/projects/{project_id}/deploys", self.newest),
                web.get("/projects/{project_id}/deploys/{deploy_id}", self.get),
                web.delete("/projects/{project_id}/deploys/{deploy_id}", self.cancel),
                web.get("/projects/{project_id}/releases", self.releases),
                web.post("/projects/{project_id}/start", self._acting(self._commands.start)),
                web.post("/projects/{project_id}/stop", self._acting(self._commands.stop)),
                web.post("/projects/{project_id}/restart", self._acting(self._commands.restart)),
            ]
        )

    async def deploy(self, request: web.Request) -> web.Response:
        project_id = project_id_in(request)
        wait_s = whole_number(request.query, "wait", 0, least=0, most=LONGEST_WAIT_S)
        raw = await request.read()
        _check_source(raw)
        body = parse_body(DeployBody, raw)
        deploy = await self._commands.deploy(project_id, body.request(), body.idempotency_key)
        if wait_s:
            deploy = await self._commands.wait(project_id, deploy.deploy_id, wait_s)
        _deploy, steps = await self._commands.get(project_id, deploy.deploy_id)
        headers = {"Location": f"/projects/{project_id}/deploys/{deploy.deploy_id}"}
        return web.json_response(deploy_json(deploy, steps), status=202, headers=headers)

    async def newest(self, request: web.Request) -> web.Response:
        limit = whole_number(request.query, "limit", 20, least=1, most=50)
        deploys = await self._commands.newest(project_id_in(request), limit)
        return web.json_response({"items": [deploy_json(deploy, None) for deploy in deploys]})

    async def get(self, request: web.Request) -> web.Response:
        deploy, steps = await self._commands.get(project_id_in(request), request.match_info["deploy_id"])
        return web.json_response(deploy_json(deploy, steps))

    async def cancel(self, request: web.Request) -> web.Response:
        deploy = await self._commands.cancel(project_id_in(request), request.match_info["deploy_id"])
        return web.json_response({"deploy_id": deploy.deploy_id, "status": deploy.status})

    async def releases(self, request: web.Request) -> web.Response:
        project, releases = await self._commands.releases(project_id_in(request))
        return web.json_response({"items": [_release_json(project, release) for release in releases]})

    def _acting(
        self, command: Callable[[str], Awaitable[Project]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def act(request: web.Request) -> web.Response:
            project = await command(project_id_in(request))
            answer = {"project_id": project.project_id, "status": await self._view.status(project)}
            return web.json_response(answer, status=202)

        return act


def deploy_json(deploy: Deploy, steps: list[Step] | None) -> dict[str, Any]:
    """Steps only where one deploy is shown."""
    shown: dict[str, Any] = {
        "deploy_id": deploy.deploy_id,
        "status": deploy.status,
        "image": deploy.request.image,
        "reason": deploy.reason,
        "created_at": rfc3339(deploy.created_at),
        "finished_at": None if deploy.finished_at is None else rfc3339(deploy.finished_at),
    }
    if steps is None:
        return shown
    return {
        **shown,
        "steps": [_step_json(step) for step in steps],
        "health_attempts": [
            {"at": rfc3339(attempt.at), "outcome": attempt.outcome} for attempt in deploy.health_attempts
        ],
        "log_tail": list(deploy.log_tail),
    }


def _step_json(step: Step) -> dict[str, Any]:
    return {
        "name": step.name,
        "started_at": rfc3339(step.started_at),
        "finished_at": None if step.finished_at is None else rfc3339(step.finished_at),
        "detail": step.detail,
    }


def _release_json(project: Project, release: Release) -> dict[str, Any]:
    return {
        "release_id": release.release_id,
        "image": release.request.image,
        "image_id": release.image_id,
        "digest": release.digest,
        "port": release.request.port,
        "current": release.release_id == project.release_id,
        "created_at": rfc3339(release.created_at),
    }


def _check_source(raw: bytes) -> None:
    others = sorted(members_of(raw) & _OTHER_SOURCES)
    if others:
        raise UnsupportedSource(
            f"This worker cannot deploy from {', '.join(others)} yet; what works is {{image, port, command?, healthcheck?}}."
        )
