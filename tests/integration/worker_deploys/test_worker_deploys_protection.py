"""Every route that there is, asked for by somebody who may not."""

from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from shared.clock import SystemClock
from shared.config import Secret
from tests.integration.worker_deploys.commanding import SECRET
from tests.integration.worker_deploys.conftest import Worker, worker_variables
from worker.app import build_management
from worker.config import Config
from worker.logs.system import SystemLogs
from worker.mesh.table import MeshTable
from worker.observation import observing
from worker.platform import Installation, build_platform
from worker.service import _resources

pytestmark = pytest.mark.engine

PUBLIC = {
    *("/health", "/stats", "/stats/stream", "/system/logs", "/system/logs/stream"),
}
SENDER_SIGNS = {"/projects/{project_id}/webhook"}
"""Signed with the project's own secret instead, which has tests of its own."""
OLD_S = 3600.0


@pytest.fixture
async def routes(docker_engine: str, tmp_path: Path, free_port: Callable[[], int]) -> list[tuple[str, str]]:
    """Method and path template of everything that the management application has."""
    config = Config.from_env(worker_variables(docker_engine, tmp_path / "routes", free_port))
    installed = Installation(instance="w_" + "0" * 32, environment_key=Secret(b"0" * 32))
    clock = SystemClock()
    table = MeshTable(config.internal_suffix, config.public_suffix)
    async with _resources(config) as resources, observing(installed, config, resources, clock) as seen:
        platform = build_platform(config, installed, resources, table, clock, on_deleted=seen.forget)
        app = build_management(config, platform, seen, SystemLogs(clock), resources, list, clock)
        return [
            (route.method, route.resource.canonical)
            for route in app.router.routes()
            if route.resource is not None and route.method != "HEAD"
        ]


async def test_every_protected_route_and_stream_refuses_whoever_may_not(
    worker: Worker, routes: list[tuple[str, str]], session: aiohttp.ClientSession
) -> None:
    commander = worker.commander
    protected = [(method, path) for method, path in routes if path not in PUBLIC | SENDER_SIGNS]
    now = SystemClock().now()
    stranger = commander.with_secret(SECRET[::-1])
    accepted = []
    for method, template in protected:
        path = _filled(template)
        used = commander.signed(method, path, b"")
        assert (await commander.send(method, path, b"", used))[0] != 401, (method, path)
        signatures = {
            "none": {},
            "replayed": used,
            "old": commander.signed(method, path, b"", now - OLD_S),
            "of the future": commander.signed(method, path, b"", now + OLD_S),
            "for another path": commander.signed(method, path + "x", b""),
            "for another method": commander.signed("PATCH", path, b""),
            "for another body": commander.signed(method, path, b"{}"),
            "with another secret": stranger.signed(method, path, b""),
        }
        for case, headers in signatures.items():
            status, answer = await commander.send(method, path, b"", headers)
            if (status, answer.get("code")) != (401, "invalid_signature"):
                accepted.append((method, path, case, status))

    assert accepted == []
    assert len(protected) >= 25, protected
    assert {path for _method, path in routes} >= PUBLIC


def _filled(template: str) -> str:
    names = {"{project_id}": "site", "{deploy_id}": "dpl_1", "{service_id}": "svc_1"}
    for name, value in names.items():
        template = template.replace(name, value)
    assert "{" not in template, template
    return template
