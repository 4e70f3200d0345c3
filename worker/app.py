"""The composition root: what the worker is made of, in the order in which it comes up, and down in reverse."""

import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import structlog
from aiohttp import web

from shared.clock import Clock
from shared.config import Secret
from shared.database import Database
from shared.ids import new_id, request_ids
from shared.supervise import BackgroundJob
from shared.problem_middleware import problem_middleware
from worker.config import Config
from worker.deploys.api import DeployRoutes
from worker.deploys.candidate import Candidates
from worker.deploys.commands import DeployCommands
from worker.deploys.conductor import Conductor
from worker.deploys.generation import Generations
from worker.deploys.health import Probes
from worker.deploys.interruptions import Interruptions
from worker.deploys.lanes import Lanes
from worker.deploys.publication import Publication
from worker.deploys.records import Records
from worker.deploys.releases import ReleaseStore
from worker.deploys.rollout import Rollout
from worker.deploys.store import DeployStore
from worker.deploys.upkeep import Upkeep
from worker.deploys.watch import Watch
from worker.events.api import EventRoutes
from worker.events.log import EventLog
from worker.mesh.table import MeshTable
from worker.problems import TABLE
from worker.projects.api import ProjectRoutes
from worker.projects.commands import ProjectCommands
from worker.projects.environment import EnvironmentCipher
from worker.projects.store import ProjectStore
from worker.projects.view import ProjectView
from worker.runtime.docker_engine import DockerEngine
from worker.runtime.networks import OrgNetworks, own_container
from worker.runtime.subnets import host_routes
from worker.signature_check import (
    HEALTH,
    MOST_BODY_BYTES,
    STATS,
    SYSTEM_LOGS,
    Nonces,
    signature_middleware,
)
from worker.sync import SyncRoutes

log = structlog.get_logger("worker")

MIGRATIONS = Path(__file__).parent / "migrations"
_ROUTES = Path("/proc/net/route")


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What this worker keeps in its data folder, read at start."""

    instance: str
    environment_key: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What is opened at start and closed at the end."""

    database: Database
    engine: DockerEngine
    outgoing: aiohttp.ClientSession
    probing: aiohttp.ClientSession


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """The parts that run projects, wired."""

    records: Records
    publication: Publication
    generations: Generations
    lanes: Lanes
    watch: Watch
    projects: ProjectCommands
    deploys: DeployCommands
    view: ProjectView


@asynccontextmanager
async def open_resources(config: Config) -> AsyncIterator[Resources]:
    async with AsyncExitStack() as stack:
        database = await Database.open(config.data_dir / "worker.db", MIGRATIONS)
        stack.push_async_callback(database.close)
        engine = DockerEngine(config.docker_host)
        stack.push_async_callback(engine.close)
        outgoing = await stack.enter_async_context(aiohttp.ClientSession())
        probing = await stack.enter_async_context(
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(force_close=True, limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        )
        yield Resources(database=database, engine=engine, outgoing=outgoing, probing=probing)


def build_platform(
    config: Config, installed: Installation, resources: Resources, table: MeshTable, clock: Clock
) -> Platform:
    engine = resources.engine
    records = Records(
        ProjectStore(resources.database),
        DeployStore(resources.database, clock),
        ReleaseStore(resources.database),
        EventLog(resources.database, clock),
    )
    cipher = EnvironmentCipher(installed.environment_key)
    networks = OrgNetworks(
        engine,
        installed.instance,
        config.network_pool,
        own_container=own_container(config.own_container, socket.gethostname()),
        routes=lambda: host_routes(_ROUTES.read_text(encoding="ascii")),
    )
    generations = Generations(engine, networks, cipher, installed.instance)
    publication = Publication(table)
    probes = Probes(resources.probing, engine, clock)
    interruptions = Interruptions()
    conductor = Conductor(
        records,
        Rollout(
            Candidates(engine, generations, records, probes, clock),
            generations,
            publication,
            records,
            interruptions,
        ),
        Upkeep(
            engine=engine,
            generations=generations,
            publication=publication,
            records=records,
            probes=probes,
            interruptions=interruptions,
            clock=clock,
        ),
        generations,
        networks,
        publication,
    )
    lanes = Lanes(conductor.turn)
    return Platform(
        records=records,
        publication=publication,
        generations=generations,
        lanes=lanes,
        watch=Watch(engine, installed.instance, records, publication, lanes, conductor),
        projects=ProjectCommands(
            engine=engine,
            networks=networks,
            records=records,
            publication=publication,
            cipher=cipher,
            lanes=lanes,
            interruptions=interruptions,
        ),
        deploys=DeployCommands(engine, records, lanes, interruptions, lambda: new_id("dpl_")),
        view=ProjectView(records, publication, engine, generations),
    )


def build_management(
    config: Config,
    platform: Platform,
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
            signature_middleware(secrets_now, Nonces(resources.database, clock), clock, public),
        ],
    )
    app.add_routes([web.get("/health", _health)])
    suffixes = (config.internal_suffix, config.public_suffix)
    ProjectRoutes(platform.projects, platform.deploys, platform.view, clock, suffixes).add_to(app)
    DeployRoutes(platform.deploys, platform.view).add_to(app)
    EventRoutes(platform.records.events, platform.projects).add_to(app)
    SyncRoutes(
        platform.records,
        platform.lanes,
        platform.watch,
        platform.deploys,
        platform.view,
        platform.generations,
    ).add_to(app)
    return app


async def _health(_request: web.Request) -> web.Response:
    return web.Response(text="OK")


def background_jobs(platform: Platform) -> dict[str, BackgroundJob]:
    return {
        "lanes": platform.lanes.run,
        "engine events": platform.watch.follow,
        "reconciler": platform.watch.reconcile_forever,
    }
