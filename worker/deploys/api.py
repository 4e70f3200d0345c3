"""Routes of deploys, releases and of starting and stopping: parse, call, respond."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from shared.clock import rfc3339
from worker.deploys.bodies import DeployBody
from worker.deploys.commands import DeployCommands
from worker.deploys.model import Deploy, Release, Step
from worker.deploys.request import DeployRequest, GitSource
from worker.projects.api import project_id_in
from worker.projects.model import Project
from worker.projects.view import ProjectView
from worker.requests import parse_body, whole_number

LONGEST_WAIT_S = 600


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
        body = parse_body(DeployBody, await request.read())
        if body.release is not None:
            deploy = await self._commands.run_again(project_id, body.release, body.idempotency_key)
        else:
            limits = await self._commands.limits(project_id)
            deploy = await self._commands.deploy(project_id, body.request(limits), body.idempotency_key)
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
        **_source_json(deploy.request),
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
    web_image = release.images[release.request.web]
    return {
        "release_id": release.release_id,
        **_source_json(release.request),
        "revision": release.revision,
        "image_id": web_image.image_id,
        "digest": web_image.digest,
        "images": {
            service.name: {
                "image": service.image,
                "image_id": release.images[service.name].image_id,
                "digest": release.images[service.name].digest,
            }
            for service in release.request.services
        },
        "port": release.request.web_service.port,
        "current": release.release_id == project.release_id,
        "created_at": rfc3339(release.created_at),
    }


def _source_json(request: DeployRequest) -> dict[str, Any]:
    """Without commands and variables, which may hold secrets."""
    shown: dict[str, Any] = {
        "image": request.web_service.image,
        "services": [service.name for service in request.services],
        "again": request.release,
    }
    source = request.source
    if isinstance(source, GitSource):
        return {**shown, "git": {"url": source.url, "ref": source.ref}}
    if source is not None:
        return {**shown, "archive_url": _without_query(source.url)}
    return shown


def _without_query(url: str) -> str:
    # Signed download links carry their secret there.
    return url.partition("?")[0]
