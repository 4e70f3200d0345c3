"""The management application: which routes there are, behind which checks."""

from collections.abc import Callable, Sequence

from aiohttp import web

from shared.clock import Clock
from shared.config import Secret
from shared.ids import request_ids
from shared.problem_middleware import hide_server_software, problem_middleware
from worker.config import Config
from worker.deploys.api import DeployRoutes
from worker.events.api import EventRoutes
from worker.files.api import FileRoutes
from worker.firewall.api import FirewallRoutes
from worker.logs.routes import add_log_routes
from worker.logs.system import SystemLogs, add_system_log_routes
from worker.observation import Observation
from worker.platform import Platform, Resources
from worker.problems import TABLE
from worker.projects.api import ProjectRoutes
from worker.projects.model import checked_project_id
from worker.services.api import AddOnRoutes
from worker.signature_check import HEALTH, MOST_BODY_BYTES, STATS, SYSTEM_LOGS, signature_middleware
from worker.stats.routes import add_host_stats_routes, add_project_stats_routes
from worker.sync import SyncRoutes
from worker.webhooks.api import WebhookRoutes


def build_management(
    config: Config,
    platform: Platform,
    seen: Observation,
    system_logs: SystemLogs,
    resources: Resources,
    secrets_now: Callable[[], Sequence[Secret]],
    clock: Clock,
) -> web.Application:
    public = HEALTH | (STATS if config.public_stats else set())
    public |= SYSTEM_LOGS if config.public_system_logs else set()
    app = web.Application(
        client_max_size=MOST_BODY_BYTES,
        middlewares=[
            problem_middleware(TABLE, request_ids(clock)),
            signature_middleware(secrets_now, resources.nonces, clock, public),
        ],
    )
    app.on_response_prepare.append(hide_server_software)
    app.add_routes([web.get("/health", _health)])
    suffixes = (config.internal_suffix, config.public_suffix)
    ProjectRoutes(platform.projects, platform.deploys, platform.view, clock, suffixes).add_to(app)
    DeployRoutes(platform.deploys, platform.view, allow_local=config.allow_local_git).add_to(app)
    AddOnRoutes(platform.addons, platform.catalog).add_to(app)
    EventRoutes(platform.records.events, platform.projects, seen.streams).add_to(app)
    FileRoutes(platform.files, platform.projects).add_to(app)
    WebhookRoutes(platform.webhooks).add_to(app)
    FirewallRoutes(platform.firewall, platform.records.projects).add_to(app)
    SyncRoutes(
        platform.records,
        platform.lanes,
        platform.watch,
        platform.deploys,
        platform.view,
        seen.host.report,
    ).add_to(app)
    _add_observation(app, platform, seen, system_logs, clock)
    return app


def _add_observation(
    app: web.Application, platform: Platform, seen: Observation, system_logs: SystemLogs, clock: Clock
) -> None:
    async def require_project(project_id: str) -> None:
        await platform.projects.get(checked_project_id(project_id))

    add_log_routes(app, seen.logs, seen.streams, require_project, clock)
    add_project_stats_routes(app, seen.stats, seen.streams, require_project)
    add_host_stats_routes(app, seen.host, seen.streams)
    add_system_log_routes(app, system_logs, seen.streams)
    app.on_shutdown.append(seen.streams.end_all)

    async def end_waits(_app: web.Application) -> None:
        # Those who wait for a deploy or a deletion are answered as things are: what goes on is taken up by the next start.
        platform.lanes.end()

    app.on_shutdown.append(end_waits)


async def _health(_request: web.Request) -> web.Response:
    return web.Response(text="OK")
