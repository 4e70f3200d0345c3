"""Every route of the management API, as the router has it: which need a signature, and that nothing but a good one opens them."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from shared.clock import SystemClock
from shared.config import Secret
from tests.integration.worker_deploys.commanding import SECRET, Commander
from worker.app import build_management
from worker.config import Config
from worker.logs.system import SystemLogs
from worker.mesh.table import MeshTable
from worker.observation import observing
from worker.platform import Installation, build_platform
from worker.projects.environment import load_key
from worker.runtime.instance import load_instance
from worker.service import opened_resources
from worker.services.catalog import load_catalog

PUBLIC = {
    ("GET", "/health"),
    ("GET", "/stats"),
    ("GET", "/stats/stream"),
    ("GET", "/system/logs"),
    ("GET", "/system/logs/stream"),
}
ALWAYS_PUBLIC = {("GET", "/health")}
BY_ITSELF = {("POST", "/projects/{project_id}/webhook")}
"""Authenticated by the project's own secret, and by a signature of ours where there is one."""
SIGNED = {
    ("POST", "/projects"),
    ("GET", "/projects"),
    ("GET", "/projects/{project_id}"),
    ("DELETE", "/projects/{project_id}"),
    ("POST", "/projects/{project_id}/env"),
    ("POST", "/projects/{project_id}/domains"),
    ("DELETE", "/projects/{project_id}/domains"),
    ("POST", "/projects/{project_id}/visibility"),
    ("GET", "/projects/{project_id}/files"),
    ("GET", "/projects/{project_id}/stats"),
    ("GET", "/projects/{project_id}/stats/stream"),
    ("GET", "/projects/{project_id}/logs"),
    ("GET", "/projects/{project_id}/logs/stream"),
    ("GET", "/projects/{project_id}/events"),
    ("GET", "/projects/{project_id}/events/stream"),
    ("POST", "/projects/{project_id}/deploy"),
    ("GET", "/projects/{project_id}/deploys"),
    ("GET", "/projects/{project_id}/deploys/{deploy_id}"),
    ("DELETE", "/projects/{project_id}/deploys/{deploy_id}"),
    ("GET", "/projects/{project_id}/releases"),
    ("POST", "/projects/{project_id}/start"),
    ("POST", "/projects/{project_id}/stop"),
    ("POST", "/projects/{project_id}/restart"),
    ("POST", "/services/install"),
    ("GET", "/services"),
    ("GET", "/services/catalog"),
    ("GET", "/services/{service_id}"),
    ("DELETE", "/services/{service_id}"),
    ("GET", "/firewall"),
    ("POST", "/firewall/configure"),
    ("POST", "/firewall/confirm"),
    ("POST", "/sync"),
}


@dataclass(frozen=True, slots=True)
class Management:
    """The management application alone: no engine, no mesh."""

    routes: set[tuple[str, str]]
    commander: Commander
    session: aiohttp.ClientSession

    async def status(self, method: str, path: str, headers: dict[str, str]) -> int:
        """Without the body, which may never end; but a refusal for want of a signature always says so."""
        async with self.session.request(method, self.commander.base + path, headers=headers) as response:
            if response.status == 401:
                assert response.content_type == "application/problem+json"
                assert (await response.json())["code"] == "invalid_signature"
            return response.status


@asynccontextmanager
async def management(
    folder: Path, free_port: Callable[[], int], **variables: str
) -> AsyncIterator[Management]:
    port = free_port()
    config = Config.from_env(
        {
            "WORKER_DATA_DIR": str(folder),
            "WORKER_SECRET": SECRET,
            "DOCKER_HOST": f"unix://{folder}/none.sock",
            **variables,
        }
    )
    clock = SystemClock()
    installed = Installation(
        instance=await asyncio.to_thread(load_instance, folder),
        environment_key=await asyncio.to_thread(load_key, folder),
        catalog=await asyncio.to_thread(load_catalog, None),
    )
    async with AsyncExitStack() as stack:
        resources = await stack.enter_async_context(opened_resources(config, clock))
        seen = await stack.enter_async_context(observing(installed, config, resources, clock))
        table = MeshTable("zexio.internal", "zexio.app")
        platform = build_platform(config, installed, resources, table, clock, on_deleted=seen.forget)
        app = build_management(
            config, platform, seen, SystemLogs(clock), resources, lambda: [Secret(SECRET.encode())], clock
        )
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", port).start()
        session = await stack.enter_async_context(aiohttp.ClientSession())
        yield Management(_routes(app), Commander(session, f"http://127.0.0.1:{port}"), session)


def _routes(app: web.Application) -> set[tuple[str, str]]:
    # HEAD comes with GET.
    return {
        (route.method, route.resource.canonical)
        for route in app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }


def filled(path: str) -> str:
    return path.replace("{project_id}", "p").replace("{deploy_id}", "d").replace("{service_id}", "s")


async def refusals(at: Management, method: str, path: str) -> dict[str, int]:
    """The status of each wrong signature, and of a good one that was used before."""
    now = time.time()  # noqa: TID251 - the worker's clock is the machine's
    sign = at.commander.signed
    good = sign(method, path, b"")
    used = await at.status(method, path, good)
    assert used != 401, f"{method} {path}: a good signature is taken"
    wrong = {
        "missing": {},
        "malformed": {"X-Signature": "t=1,n=2,v1=3"},
        "replayed": good,
        "old": sign(method, path, b"", now - 63),
        "from the future": sign(method, path, b"", now + 120),
        "for another path": sign(method, path + "x", b""),
        "for another query": sign(method, path + "?a=b", b""),
        "for another method": sign("PATCH", path, b""),
        "for another body": sign(method, path, b"{}"),
        "with another secret": at.commander.with_secret("another-secret-another-secret-xx").signed(
            method, path, b""
        ),
    }
    return {case: await at.status(method, path, headers) for case, headers in wrong.items()}


async def test_every_protected_route_is_closed_to_everything_but_a_good_signature(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    async with management(tmp_path, free_port) as at:
        assert at.routes == PUBLIC | SIGNED | BY_ITSELF, "every route is in one of the tables above"
        for method, path in sorted(SIGNED):
            statuses = await refusals(at, method, filled(path))
            assert set(statuses.values()) == {401}, (method, path, statuses)
        for method, path in sorted(PUBLIC):
            assert await at.status(method, path, {}) == 200, path


async def test_what_is_public_by_default_can_be_closed(tmp_path: Path, free_port: Callable[[], int]) -> None:
    async with management(tmp_path, free_port, PUBLIC_STATS="0", PUBLIC_SYSTEM_LOGS="0") as at:
        for method, path in sorted(PUBLIC - ALWAYS_PUBLIC):
            statuses = await refusals(at, method, path)
            assert set(statuses.values()) == {401}, (path, statuses)
        assert await at.status("GET", "/health", {}) == 200


@pytest.mark.parametrize(
    "path", ["/projects/p/nothing", "/no/such/path", "//projects", "/health/../projects"]
)
async def test_nobody_learns_without_a_signature_which_routes_there_are(
    tmp_path: Path, free_port: Callable[[], int], path: str
) -> None:
    async with management(tmp_path, free_port) as at:
        assert (await at.commander.send("GET", path, b"", {}))[0] == 401
