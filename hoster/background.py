"""What runs beside the requests: the jobs and the watches, and the parts that live exactly as long as they do."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from functools import partial
from urllib.parse import urlsplit

import aiohttp
import structlog
from aiohttp import web

from hoster.deployments import api as deployments_api
from hoster.deployments.commands import DEPLOYMENT_COMMANDS, DeploymentCommands
from hoster.deployments.model import AppUrls
from hoster.deployments.reconciler import Reconciler
from hoster.deployments.remedies import Remedies
from hoster.deployments.rollout import Rollout
from hoster.deployments.store import DEPLOYMENT_STORE
from hoster.deployments.work import DeploymentWork
from hoster.domains.commands import DOMAIN_COMMANDS, DomainCommands
from hoster.domains.placement import DomainPlacement
from hoster.domains.resolver import DnsResolver
from hoster.domains.store import DOMAIN_STORE, DomainStore
from hoster.jobs.runner import Bell, JobRunner
from hoster.jobs.store import JobStore
from hoster.keys.rotation import LOOK_EVERY_S, KeyRotation
from hoster.leaving import LEAVING
from hoster.monitoring.questions import MONITOR, Monitor
from hoster.monitoring.streams import STREAM_CARRIER, StreamCarrier
from hoster.nodes import api as nodes_api
from hoster.nodes.bootstrap.installation import Platform
from hoster.nodes.bootstrap.runner import BootstrapRunner
from hoster.nodes.bootstrap.store import BOOTSTRAP_STORE
from hoster.nodes.store import NodeStore
from hoster.nodes.worker_client import WorkerClient
from hoster.parts import Parts
from hoster.releases.commands import RELEASE_COMMANDS, ReleaseCommands
from hoster.releases.renderer import ReleaseRenderer
from hoster.releases.store import RELEASE_STORE
from hoster.retention import LOOK_EVERY_S as FORGET_EVERY_S
from hoster.retention import Retention
from hoster.ssh_keys.store import SSH_KEY_STORE
from hoster.templates import api as templates_api
from shared.clock import Clock
from shared.ids import new_id
from shared.supervise import BackgroundJob, forever, supervised

NODE_CHECK_EVERY_S = 5.0


def serving(parts: Parts, bootstrap_bell: Bell) -> Callable[[web.Application], AsyncIterator[None]]:
    """From the shipped templates and the first node's token to the background jobs; all of it ends with the application."""

    async def serve(app: web.Application) -> AsyncIterator[None]:
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
            background: dict[str, BackgroundJob] = {
                "jobs": jobs.run,
                "nodes": nodes,
                "drift": drift,
                "domains": partial(forever, 0.0, placement.tell_next, "domain placement"),
                "domain drift": partial(
                    forever, parts.patience.compare_s, placement.compare, "domain drift watch"
                ),
                "keys": _key_watch(parts),
                "retention": _retention(parts),
                "bootstraps": _bootstraps(parts, app, bootstrap_bell).run,
            }
            async with supervised(background, parts.on_death):
                yield

    return serve


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
    return partial(forever, LOOK_EVERY_S, rotation.look, "key watch")


def _retention(parts: Parts) -> BackgroundJob:
    retention = Retention(parts.database, parts.clock, parts.config.history_s)
    return partial(forever, FORGET_EVERY_S, retention.enforce, "retention")


def _bootstraps(parts: Parts, app: web.Application, bell: Bell) -> BootstrapRunner:
    platform = Platform(
        public_url=parts.config.public_url,
        app_domain=parts.config.app_domain,
        source=parts.config.worker_source,
        wheels=parts.config.worker_wheels,
    )
    return BootstrapRunner(
        app[BOOTSTRAP_STORE], app[nodes_api.NODE_STORE], platform, parts.clock, bell, parts.patience
    )


async def _domain_commands(parts: Parts, domains: DomainStore, placement: DomainPlacement) -> DomainCommands:
    resolver = await asyncio.to_thread(DnsResolver, parts.config.dns_server)
    urls = AppUrls(parts.config.app_domain, parts.config.app_url_port)
    own_host = urlsplit(parts.config.public_url).hostname or urls.domain
    return DomainCommands(
        parts.database, domains, resolver, urls, parts.clock, placement.changed, (urls.domain, own_host)
    )


def _node_watch(nodes: NodeStore, clock: Clock) -> BackgroundJob:
    log = structlog.get_logger("nodes")

    async def look() -> None:
        for node_id in await nodes.forget_silent(clock.now()):
            log.warning("node_offline", node_id=node_id)

    return partial(forever, NODE_CHECK_EVERY_S, look, "node watch")


def _drift_watch(parts: Parts, nodes: NodeStore, client: WorkerClient, bell: Bell) -> BackgroundJob:
    remedies = Remedies(parts.database, parts.clock, parts.patience)
    reconciler = Reconciler(nodes, remedies, client, parts.clock, bell.ring)
    return partial(forever, parts.patience.compare_s, reconciler.reconcile, "drift watch")
