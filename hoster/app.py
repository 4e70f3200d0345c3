"""Wiring: what Hoster is made of, put together in one place."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp
import structlog
from aiohttp import web

from hoster import status_api
from hoster.access import AccessTable, Route
from hoster.billing import api as billing_api
from hoster.billing.store import BILLING_STORE, BillingStore
from hoster.config import Config
from hoster.deployments import api as deployments_api
from hoster.deployments.changes import DEPLOYMENT_CHANGES, DeploymentChanges
from hoster.deployments.commands import DEPLOYMENT_COMMANDS, DeploymentCommands
from hoster.deployments.model import AppUrls
from hoster.deployments.reconciler import Reconciler
from hoster.deployments.remedies import Remedies
from hoster.deployments.rollout import Rollout
from hoster.deployments.store import DEPLOYMENT_STORE, DeploymentStore
from hoster.deployments.work import DeploymentWork
from hoster.domains import api as domains_api
from hoster.domains.commands import DOMAIN_COMMANDS, DomainCommands
from hoster.domains.placement import DomainPlacement
from hoster.domains.resolver import DnsResolver
from hoster.domains.store import DOMAIN_STORE, DomainStore
from hoster.idempotency.middleware import idempotency_middleware
from hoster.idempotency.store import IdempotencyStore
from hoster.identity_middleware import identity_middleware
from hoster.jobs.model import Patience
from hoster.jobs.runner import Bell, JobRunner
from hoster.jobs.store import JobStore
from hoster.keys.rotation import LOOK_EVERY_S, KeyRotation
from hoster.leaving import LEAVING
from hoster.monitoring import api as monitoring_api
from hoster.monitoring.questions import MONITOR, Monitor
from hoster.monitoring.streams import STREAM_CARRIER, StreamCarrier
from hoster.nodes import api as nodes_api
from hoster.nodes import enrolment_api
from hoster.nodes.bootstrap.commands import BOOTSTRAP_COMMANDS, BootstrapCommands
from hoster.nodes.bootstrap.installation import Platform
from hoster.nodes.bootstrap.runner import BootstrapRunner
from hoster.nodes.bootstrap.store import BOOTSTRAP_STORE, BootstrapStore
from hoster.nodes.commands import NodeCommands
from hoster.nodes.store import NodeStore
from hoster.nodes.worker_client import WorkerClient
from hoster.openapi import api as openapi_api
from hoster.openapi.document import build_document
from hoster.openapi.operations import OPERATIONS
from hoster.problems import PROBLEMS
from hoster.releases import api as releases_api
from hoster.releases.commands import RELEASE_COMMANDS, ReleaseCommands
from hoster.releases.renderer import ReleaseRenderer
from hoster.releases.store import RELEASE_STORE, ReleaseStore
from hoster.ssh_keys import api as ssh_keys_api
from hoster.ssh_keys.commands import SSH_KEY_COMMANDS, SshKeyCommands
from hoster.ssh_keys.store import SSH_KEY_STORE, SshKeyStore
from hoster.templates import api as templates_api
from hoster.templates.commands import TemplateCommands
from hoster.templates.model import TemplateDocument
from hoster.templates.store import TemplateStore
from hoster.users import api as users_api
from hoster.users.store import UserStore
from hoster.vault import Vault
from hoster.viewer import Viewer
from hoster.web import pages
from hoster.web.pages import PAGES, Pages
from shared.clock import Clock
from shared.database import Database
from shared.ids import new_id, request_ids
from shared.problem_middleware import hide_server_software, problem_middleware
from shared.supervise import BackgroundJob, forever, supervised

BODY_MOST_BYTES = 1024 * 1024
NODE_CHECK_EVERY_S = 5.0

ROUTES: tuple[Route, ...] = (
    *status_api.ROUTES,
    *users_api.ROUTES,
    *templates_api.ROUTES,
    *deployments_api.ROUTES,
    *releases_api.ROUTES,
    *monitoring_api.ROUTES,
    *nodes_api.ROUTES,
    *enrolment_api.ROUTES,
    *ssh_keys_api.ROUTES,
    *domains_api.ROUTES,
    *billing_api.ROUTES,
    *openapi_api.ROUTES,
    *pages.ROUTES,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What is opened or read before the application exists. `on_death` stops the service when a background job dies."""

    config: Config
    clock: Clock
    database: Database
    vault: Vault
    catalog: Mapping[str, TemplateDocument]
    pages: Pages
    patience: Patience
    on_death: Callable[[], None]


def build_app(parts: Parts) -> web.Application:
    new_request_id = request_ids(parts.clock)
    access = AccessTable()
    users = UserStore(parts.database, parts.clock)
    billing = BillingStore(parts.database, parts.clock)
    answers = IdempotencyStore(parts.database, parts.vault, parts.clock, owner=new_id("answers_"))
    problems = problem_middleware(PROBLEMS, new_request_id)

    async def introduce(viewer: Viewer) -> None:
        await users.introduce(viewer)

    app = web.Application(
        client_max_size=BODY_MOST_BYTES,
        middlewares=[
            problems,
            identity_middleware(access, parts.config.identity_secret, parts.clock, introduce, new_request_id),
            idempotency_middleware(answers, billing),
            problems,  # once more: the answer to a mistake is an answer, and is kept like any other
        ],
    )
    app.on_response_prepare.append(hide_server_software)
    access.register(app.router, ROUTES)
    app[status_api.DATABASE] = parts.database
    app[status_api.STARTED_AT] = parts.clock.monotonic()
    app[nodes_api.CLOCK] = parts.clock
    app[nodes_api.PUBLIC_URL] = parts.config.public_url
    app[deployments_api.APP_URLS] = AppUrls(parts.config.app_domain, parts.config.app_url_port)
    app[LEAVING] = asyncio.Event()
    app[PAGES] = parts.pages
    document = build_document(ROUTES, OPERATIONS, parts.config.public_url)
    app[openapi_api.OPENAPI] = json.dumps(document, separators=(",", ":")).encode()
    app[BILLING_STORE] = billing
    app[DEPLOYMENT_STORE] = DeploymentStore(parts.database, parts.vault)
    app[RELEASE_STORE] = ReleaseStore(parts.database, parts.vault)
    app[DOMAIN_STORE] = DomainStore(parts.database)
    app[nodes_api.NODE_STORE] = NodeStore(parts.database, parts.vault)
    app[nodes_api.NODE_COMMANDS] = NodeCommands(
        parts.database, app[nodes_api.NODE_STORE], parts.vault, parts.clock
    )
    app[SSH_KEY_STORE] = SshKeyStore(parts.database, parts.vault)
    app[SSH_KEY_COMMANDS] = SshKeyCommands(parts.database, parts.vault, parts.clock)
    app[templates_api.TEMPLATE_STORE] = TemplateStore(parts.database, parts.clock)
    app[templates_api.TEMPLATE_COMMANDS] = TemplateCommands(
        parts.database, app[templates_api.TEMPLATE_STORE], parts.clock
    )
    app[DEPLOYMENT_CHANGES] = DeploymentChanges(
        parts.database, app[templates_api.TEMPLATE_STORE], parts.vault, parts.clock
    )
    bootstrap_bell = Bell()
    app[BOOTSTRAP_STORE] = BootstrapStore(parts.database, parts.vault, parts.clock)
    app[BOOTSTRAP_COMMANDS] = BootstrapCommands(
        parts.database,
        app[BOOTSTRAP_STORE],
        bootstrap_bell.ring,
        parts.config.worker_source,
    )
    app.cleanup_ctx.append(_serving(parts, bootstrap_bell))
    app.on_shutdown.append(_leave)
    return app


async def _leave(app: web.Application) -> None:
    app[LEAVING].set()


def _serving(parts: Parts, bootstrap_bell: Bell) -> Callable[[web.Application], AsyncIterator[None]]:
    """From the shipped templates and the first node's token to the background jobs; all of it ends with the application."""

    async def serving(app: web.Application) -> AsyncIterator[None]:
        await app[templates_api.TEMPLATE_STORE].ship(parts.catalog)
        if parts.config.join_token is not None:
            await app[nodes_api.NODE_COMMANDS].expect_first_node(parts.config.join_token)
        bell = Bell()
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, limit_per_host=0), cookie_jar=aiohttp.DummyCookieJar()
        ) as session:
            client = WorkerClient(session, parts.clock, lambda: secrets.token_urlsafe(16))
            app[DEPLOYMENT_COMMANDS] = DeploymentCommands(
                parts.database,
                app[DEPLOYMENT_STORE],
                app[templates_api.TEMPLATE_STORE],
                parts.clock,
                parts.patience,
                bell.ring,
            )
            app[RELEASE_COMMANDS] = ReleaseCommands(
                parts.database, app[templates_api.TEMPLATE_STORE], parts.clock, parts.patience, bell.ring
            )
            app[MONITOR] = Monitor(app[nodes_api.NODE_STORE], app[DEPLOYMENT_STORE], client, parts.clock)
            app[STREAM_CARRIER] = StreamCarrier(client, app[DEPLOYMENT_STORE], app[LEAVING])
            jobs = _runner(parts, app, client, bell)
            nodes = _node_watch(app[nodes_api.NODE_STORE], parts.clock)
            drift = _drift_watch(parts, app[nodes_api.NODE_STORE], client, bell)
            placement = DomainPlacement(app[DOMAIN_STORE], app[nodes_api.NODE_STORE], client)
            app[DOMAIN_COMMANDS] = await _domain_commands(parts, app[DOMAIN_STORE], placement)
            background = {
                "jobs": jobs.run,
                "nodes": nodes,
                "drift": drift,
                "domains": placement.run,
                "domain drift": _domain_watch(parts, placement),
                "keys": _key_watch(parts),
                "bootstraps": _bootstraps(parts, app, bootstrap_bell).run,
            }
            async with supervised(background, parts.on_death):
                yield

    return serving


def _runner(parts: Parts, app: web.Application, client: WorkerClient, bell: Bell) -> JobRunner:
    deployments = app[DEPLOYMENT_STORE]
    releases = app[RELEASE_STORE]
    renderer = ReleaseRenderer(
        releases,
        app[templates_api.TEMPLATE_STORE],
        app[SSH_KEY_STORE],
        app[deployments_api.APP_URLS],
    )
    rollout = Rollout(deployments, releases, client, parts.clock, parts.patience)
    work = DeploymentWork(
        deployments,
        app[nodes_api.NODE_STORE],
        renderer,
        rollout,
        client,
        parts.clock,
        parts.patience,
    )
    store = JobStore(parts.database, parts.clock, owner=new_id("runner_"))
    return JobRunner(store, deployments, work.perform, parts.clock, bell, parts.patience)


def _key_watch(parts: Parts) -> BackgroundJob:
    rotation = KeyRotation(parts.database, parts.vault, parts.config.key_file)

    async def watch() -> None:
        await forever(LOOK_EVERY_S, rotation.look, "key watch")

    return watch


def _bootstraps(parts: Parts, app: web.Application, bell: Bell) -> BootstrapRunner:
    platform = Platform(
        public_url=parts.config.public_url,
        app_domain=parts.config.app_domain,
        source=parts.config.worker_source,
        wheels=parts.config.worker_wheels,
    )
    return BootstrapRunner(app[BOOTSTRAP_STORE], app[nodes_api.NODE_STORE], platform, parts.clock, bell)


async def _domain_commands(parts: Parts, domains: DomainStore, placement: DomainPlacement) -> DomainCommands:
    resolver = await asyncio.to_thread(DnsResolver, parts.config.dns_server)
    urls = AppUrls(parts.config.app_domain, parts.config.app_url_port)
    own_host = urlsplit(parts.config.public_url).hostname or urls.domain
    return DomainCommands(
        parts.database, domains, resolver, urls, parts.clock, placement.changed, (urls.domain, own_host)
    )


def _domain_watch(parts: Parts, placement: DomainPlacement) -> BackgroundJob:
    async def watch() -> None:
        await forever(parts.patience.compare_s, placement.compare, "domain drift watch")

    return watch


def _node_watch(nodes: NodeStore, clock: Clock) -> BackgroundJob:
    log = structlog.get_logger("nodes")

    async def look() -> None:
        for node_id in await nodes.forget_silent(clock.now()):
            log.warning("node_offline", node_id=node_id)

    async def watch() -> None:
        await forever(NODE_CHECK_EVERY_S, look, "node watch")

    return watch


def _drift_watch(parts: Parts, nodes: NodeStore, client: WorkerClient, bell: Bell) -> BackgroundJob:
    remedies = Remedies(parts.database, parts.clock, parts.patience)
    reconciler = Reconciler(nodes, remedies, client, parts.clock, bell.ring)

    async def watch() -> None:
        await forever(parts.patience.compare_s, reconciler.reconcile, "drift watch")

    return watch
