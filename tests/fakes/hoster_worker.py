"""A worker without containers: a real HTTP server that keeps the worker's contract and verifies every signature.

Where the contract asks for no body it sends none. It can be told to be slow, to fail deploys, to have no engine, and (by stopping and
starting it) to be unreachable.
"""

import asyncio
import json
from typing import Any

from aiohttp import web

from shared import signature
from shared.clock import Clock
from shared.signature import Command, SignatureInvalid
from tests.fakes.hoster_project import KEPT_RELEASES, FakeProject, compose_of, fault_of
from tests.free_ports import free_port
from tests.servers.closing import accept_no_more

PAGE = 2

_SUMMARY = frozenset({"project_id", "org_id", "name", "status", "hosts", "domains", "release"})


class FakeWorker:
    """`deploy_s` is how long a deploy takes; no project is made while `creates` is not set. `calls` are method and path of every verified command, in order."""

    def __init__(self, secret: str, clock: Clock) -> None:
        self.secret = secret.encode()
        self.clock = clock
        self.projects: dict[str, FakeProject] = {}
        self.creates = asyncio.Event()
        self.creates.set()
        self.calls: list[tuple[str, str]] = []
        self.refused_signatures = 0
        self.deploy_s = 0.0
        self.answer_s = 0.0
        self.fail_deploys_with: str | None = None
        self.engine_unavailable = False
        self.is_past_cancelling = False
        self.lists_nonsense = False
        self.restart_s = 0.0
        self.stop_s = 0.0
        self.digests: dict[str, str] = {}
        self.fail_restarts_with: str | None = None
        self.stream_pieces: list[bytes] = []
        self.stream_headers: list[dict[str, str]] = []
        self.streams_last_s = 3600.0
        self.open_streams = 0
        self.tells_events = True
        self.sends_heartbeats = True
        self.heartbeat = asyncio.Lock()
        self._nonces: set[str] = set()
        self._runner: web.AppRunner | None = None
        self._listener: asyncio.Server | None = None
        # One that nobody else takes while it is away.
        self.port = free_port()
        self.node_id = ""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def is_up(self) -> bool:
        return self._runner is not None

    async def start(self) -> None:
        """On the port that it had before."""
        app = web.Application(middlewares=[self._verify])
        app.router.add_post("/projects", self._create)
        app.router.add_get("/projects", self._page)
        app.router.add_get("/projects/{id}", self._show)
        app.router.add_delete("/projects/{id}", self._delete)
        app.router.add_post("/projects/{id}/visibility", self._visibility)
        app.router.add_get("/projects/{id}/releases", self._releases)
        app.router.add_get("/projects/{id}/deploys", self._deploys)
        app.router.add_post("/projects/{id}/env", self._env)
        app.router.add_post("/projects/{id}/domains", self._add_domain)
        app.router.add_delete("/projects/{id}/domains", self._remove_domain)
        app.router.add_post("/projects/{id}/deploy", self._deploy)
        app.router.add_get("/projects/{id}/deploys/{deploy}", self._deploy_record)
        app.router.add_delete("/projects/{id}/deploys/{deploy}", self._cancel)
        app.router.add_post("/projects/{id}/start", self._set("running"))
        app.router.add_post("/projects/{id}/stop", self._stop)
        app.router.add_post("/projects/{id}/restart", self._restart)
        app.router.add_get("/projects/{id}/stats", self._stats)
        app.router.add_get("/projects/{id}/logs", self._logs)
        app.router.add_get("/projects/{id}/events", self._events)
        app.router.add_get("/projects/{id}/stats/stream", self._stream)
        app.router.add_get("/projects/{id}/logs/stream", self._stream)
        app.router.add_get("/projects/{id}/events/stream", self._stream)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(
            self._runner.server, "127.0.0.1", self.port, reuse_address=True
        )

    async def stop(self) -> None:
        if self._runner is None or self._listener is None:
            return
        await accept_no_more(self._listener.sockets)
        self._listener.close()
        await self._runner.cleanup()
        self._runner = self._listener = None

    @web.middleware
    async def _verify(self, request: web.Request, handler: Any) -> web.StreamResponse:
        body = await request.read()
        command = Command(request.method, request.raw_path, body)
        try:
            nonce = signature.verify(
                self.secret, request.headers.get(signature.HEADER, ""), command, self.clock.now()
            )
            self._accept_once(nonce)
        except SignatureInvalid:
            self.refused_signatures += 1
            return _problem(401, "invalid_signature")
        self.calls.append((request.method, request.raw_path))
        if self.answer_s:
            await asyncio.sleep(self.answer_s)
        if self.engine_unavailable:
            return _problem(503, "engine_unavailable")
        return await handler(request)

    def _accept_once(self, nonce: str) -> None:
        if nonce in self._nonces:
            raise SignatureInvalid("replayed")
        self._nonces.add(nonce)

    async def _create(self, request: web.Request) -> web.Response:
        body = await request.json()
        await self.creates.wait()
        if body["project_id"] in self.projects:
            return _problem(409, "project_exists")
        project = FakeProject(
            body["project_id"], body["org_id"], body["name"], body["visibility"], body["limits"]
        )
        self.projects[project.project_id] = project
        return web.json_response(project.as_json(), status=201)

    def _project(self, request: web.Request) -> FakeProject:
        project = self.projects.get(request.match_info["id"])
        if project is None:
            raise web.HTTPNotFound(text=json.dumps({"code": "project_not_found"}))
        self._end_what_is_due(project)
        return project

    async def _page(self, request: web.Request) -> web.Response:
        """Short pages, so that a reader who ignores the cursor is found out."""
        if self.lists_nonsense:
            return web.json_response({"status": "ok"})
        for project in self.projects.values():
            self._end_what_is_due(project)
        after = sorted(name for name in self.projects if name > request.query.get("cursor", ""))
        items = [
            {name: member for name, member in self.projects[project_id].as_json().items() if name in _SUMMARY}
            for project_id in after[:PAGE]
        ]
        return web.json_response(
            {"items": items, "next_cursor": after[PAGE - 1] if len(after) > PAGE else None}
        )

    async def _show(self, request: web.Request) -> web.Response:
        return web.json_response(self._project(request).as_json())

    async def _delete(self, request: web.Request) -> web.Response:
        del self.projects[self._project(request).project_id]
        return web.Response()

    async def _add_domain(self, request: web.Request) -> web.Response:
        project, domain = self._project(request), (await request.json())["domain"]
        if any(domain in other.domains for other in self.projects.values() if other is not project):
            return _problem(409, "domain_taken")
        project.domains.add(domain)
        return web.json_response({"domains": sorted(project.domains)})

    async def _remove_domain(self, request: web.Request) -> web.Response:
        project = self._project(request)
        project.domains.discard((await request.json())["domain"])
        return web.json_response({"domains": sorted(project.domains)})

    async def _env(self, request: web.Request) -> web.Response:
        """The variables are taken as a whole: what is not named is gone."""
        project, body = self._project(request), await request.json()
        assert body.get("mode", "replace") == "replace"
        project.env = body["env"]
        return web.json_response({"keys": sorted(project.env), "applied": False})

    async def _visibility(self, request: web.Request) -> web.Response:
        project = self._project(request)
        project.visibility = (await request.json())["visibility"]
        return web.json_response({"visibility": project.visibility})

    async def _releases(self, request: web.Request) -> web.Response:
        """The last five that were active, newest first, as the real one keeps them."""
        project = self._project(request)
        items = [
            {
                "release_id": deploy_id,
                "images": {
                    name: {"image": service["image"], "image_id": "sha256:1", "digest": self.digests.get(service["image"])}
                    for name, service in project.deploys[deploy_id]["compose"]["services"].items()
                },
                "current": deploy_id == project.release,
                "created_at": "2026-11-22T00:00:00Z",
            }
            for deploy_id in reversed(project.active[-KEPT_RELEASES:])
        ]  # fmt: skip
        return web.json_response({"items": items})

    async def _deploys(self, request: web.Request) -> web.Response:
        project = self._project(request)
        items = [
            {"deploy_id": deploy_id, "status": deploy["status"], "reason": "", "created_at": "2026-11-22T00:00:00Z",
             "finished_at": None}
            for deploy_id, deploy in reversed(project.deploys.items())
        ]  # fmt: skip
        return web.json_response({"items": items})

    async def _deploy(self, request: web.Request) -> web.Response:
        project, body = self._project(request), await request.json()
        key = body.pop("idempotency_key")
        known = project.by_key.get(key)
        deploy_id = known or f"deploy-{len(project.deploys) + 1}"
        if known is None:
            fault = fault_of(project, body)
            if fault is not None:
                return _problem(*fault)
            compose = compose_of(project, body)
            project.by_key[key] = deploy_id
            project.deploys[deploy_id] = {
                "body": body, "compose": compose, "begun": self.clock.now(), "status": "checking", "reason": None,
            }  # fmt: skip
            project.status = "deploying"
        return web.json_response({"deploy_id": deploy_id, "status": "queued"}, status=202)

    async def _deploy_record(self, request: web.Request) -> web.Response:
        project, deploy_id = self._project(request), request.match_info["deploy"]
        deploy = project.deploys.get(deploy_id)
        if deploy is None:
            return _problem(404, "unknown_deploy")
        status, reason = deploy["status"], deploy["reason"]
        steps = [
            {"name": "preparing", "started_at": "2026-11-22T00:00:00Z", "finished_at": "2026-11-22T00:00:01Z",
             "detail": "image is here"},
            {"name": "checking", "started_at": "2026-11-22T00:00:01Z", "finished_at": None, "detail": ""},
        ]  # fmt: skip
        return web.json_response(
            {"deploy_id": deploy_id, "status": status, "steps": steps, "reason": reason, "log_tail": []}
        )

    def _end_what_is_due(self, project: FakeProject) -> None:
        """As the real one: whether anybody asks for the deploy or not."""
        for deploy_id, deploy in project.deploys.items():
            if deploy["status"] == "checking" and self.clock.now() - deploy["begun"] >= self.deploy_s:
                self._end(project, deploy_id)

    def _end(self, project: FakeProject, deploy_id: str) -> None:
        """A deploy that fails leaves the release before it serving."""
        deploy = project.deploys[deploy_id]
        if self.fail_deploys_with is None:
            deploy["status"] = "active"
            project.status, project.release = "running", deploy_id
            project.active.append(deploy_id)
        else:
            deploy["status"], deploy["reason"] = "failed", self.fail_deploys_with
            project.status = "failed" if project.release is None else "running"

    async def _cancel(self, request: web.Request) -> web.Response:
        project = self._project(request)
        deploy = project.deploys[request.match_info["deploy"]]
        if self.is_past_cancelling:
            return _problem(409, "deploy_not_cancellable")
        if deploy["status"] == "checking":
            deploy["status"] = "cancelled"
            project.status = "failed" if project.release is None else "running"
        return web.json_response({})

    def _set(self, status: str) -> Any:
        async def answer(request: web.Request) -> web.Response:
            self._project(request).status = status
            return web.Response(status=202)

        return answer

    async def _stop(self, request: web.Request) -> web.Response:
        """As the real one: it answers at once, and the app ends in its time."""
        project = self._project(request)

        def ends() -> None:
            project.status = "stopped"

        asyncio.get_running_loop().call_later(self.stop_s, ends)
        return web.Response(status=202)

    async def _restart(self, request: web.Request) -> web.Response:
        """As the real one: it answers at once, and restarts in a moment; until then the project is shown as it was."""
        project = self._project(request)

        def restarts() -> None:
            project.restarted += 1
            project.status = "running" if self.fail_restarts_with is None else "failed"
            project.status_reason = self.fail_restarts_with or ""

        asyncio.get_running_loop().call_later(self.restart_s, restarts)
        return web.Response(status=202)

    async def _stats(self, request: web.Request) -> web.Response:
        self._project(request)
        sample = {
            "name": "web", "cpu_percent": 1.5, "memory_usage_bytes": 1000, "memory_limit_bytes": 2000, "memory_percent": 50.0,
            "network_rx_bytes": 1, "network_tx_bytes": 2, "block_read_bytes": 3, "block_write_bytes": 4, "pids": 5,
        }  # fmt: skip
        return web.json_response(
            {"containers": [sample], "total": {}, "collected_at": "2026-11-22T00:00:00.000Z"}
        )

    async def _logs(self, request: web.Request) -> web.Response:
        self._project(request)
        if request.query.get("since") == "nonsense":
            return _problem(422, "invalid_query", "since")
        service = request.query.get("service", "web")
        item = {"id": "e-1", "service": service, "container": service, "timestamp": "2026-11-22T00:00:00Z", "stream": "stdout",
                "message": "up"}  # fmt: skip
        return web.json_response({"items": [item]})

    async def _events(self, request: web.Request) -> web.Response:
        if not self.tells_events:
            return _problem(404, "not_found")
        self._project(request)
        item = {"id": "7", "type": "container_started", "container": "web", "message": "started",
                "timestamp": "2999-01-01T00:00:00.000Z"}  # fmt: skip
        return web.json_response({"items": [item]})

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        """Sends the pieces and then nothing, until the reader has gone."""
        self._project(request)
        self.stream_headers.append(dict(request.headers))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        self.open_streams += 1
        try:
            for piece in self.stream_pieces:
                await response.write(piece)
            await asyncio.sleep(self.streams_last_s)
        finally:
            self.open_streams -= 1
        return response


def _problem(status: int, code: str, field: str | None = None) -> web.Response:
    named = {} if field is None else {"errors": [{"field": field, "message": "cannot be read"}]}
    return web.json_response(
        {"code": code, "detail": "", **named}, status=status, content_type="application/problem+json"
    )
