"""The running worker: what is opened, both listeners, the background jobs, and an end that leaves the containers running."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import structlog
from aiohttp import web

from shared.clock import Clock
from shared.config import Secret
from shared.database import Database
from shared.ids import request_ids
from shared.relay.server import Relay
from shared.supervise import BackgroundJob, supervised
from worker import VERSION
from worker.app import build_management
from worker.config import Config
from worker.enrolment import NodeIdentity
from worker.logs.system import SystemLogs
from worker.mesh.director import MeshDirector
from worker.mesh.keys import MeshKeys
from worker.mesh.neighbours import neighbourhood
from worker.mesh.occupancy import Occupancy
from worker.mesh.table import MeshTable
from worker.mesh.tokens import MeshTokens
from worker.node import Membership, Place
from worker.nonces import open_nonces
from worker.observation import Observation, observing
from worker.platform import Installation, Platform, Resources, build_platform
from worker.runtime.container_files import ContainerFiles
from worker.runtime.docker_engine import DockerEngine

DRAIN_S = 30.0
MIGRATIONS = Path(__file__).parent / "migrations"

log = structlog.get_logger("worker")


class CommandKeys:
    """The secrets that sign commands: the configured one, and the identity's once there is one."""

    def __init__(self, configured: Secret | None, identity: NodeIdentity | None) -> None:
        self._secrets = [] if configured is None else [configured]
        if identity is not None:
            self.add(identity)

    def add(self, identity: NodeIdentity) -> None:
        self._secrets.append(identity.secret)

    def now(self) -> Sequence[Secret]:
        return self._secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class Startup:
    """What is known before anything is opened."""

    config: Config
    installation: Installation
    identity: NodeIdentity | None
    system_logs: SystemLogs
    clock: Clock


async def serve(startup: Startup, stop: asyncio.Event) -> None:
    """Until `stop`; then no new requests are taken, those under way get thirty seconds, and the containers stay."""
    config, clock = startup.config, startup.clock
    keys = CommandKeys(config.secret, startup.identity)
    table = MeshTable(config.internal_suffix, config.public_suffix)
    async with AsyncExitStack() as stack:
        resources = await stack.enter_async_context(opened_resources(config, clock))
        seen = await stack.enter_async_context(observing(startup.installation, config, resources, clock))
        platform = build_platform(
            config, startup.installation, resources, table, clock, on_deleted=seen.forget
        )
        await asyncio.to_thread(platform.fetcher.clear)
        await platform.projects.publish_all()
        await platform.firewall.begin()
        management = build_management(config, platform, seen, startup.system_logs, resources, keys.now, clock)
        mesh_keys = MeshKeys(config.jwks_url, resources.outgoing, clock)
        tokens = MeshTokens(mesh_keys, clock)
        neighbours = await stack.enter_async_context(
            neighbourhood(config, startup.installation.instance, table, tokens, clock)
        )
        director = MeshDirector(
            table, tokens, seen.traffic, elsewhere=neighbours.elsewhere, occupancy=Occupancy(resources.engine)
        )
        mesh_port = await stack.enter_async_context(_mesh(config, director, clock))
        port = await stack.enter_async_context(_management(config, management))
        membership = Membership(
            resources.outgoing,
            Place(config.data_dir, port, config.advertise_url),
            clock,
            on_joined=keys.add,
            engine=platform.engine_state,
        )
        jobs: dict[str, BackgroundJob] = {
            **_platform_jobs(platform, seen),
            **neighbours.jobs,
            "mesh keys": mesh_keys.run,
            "membership": lambda: membership.keep(startup.identity, config.join, config.hoster_url),
        }
        await stack.enter_async_context(supervised(jobs, stop.set))
        log.info("serving", version=VERSION, management_port=port, mesh_port=mesh_port)
        await stop.wait()
        log.info("stopping")


def _platform_jobs(platform: Platform, seen: Observation) -> dict[str, BackgroundJob]:
    return {
        "lanes": platform.lanes.run,
        "engine events": platform.watch.follow,
        "reconciler": platform.watch.reconcile_forever,
        "image pruning": platform.pruning.run,
        "firewall": platform.firewall.keep,
        "log changes": seen.logs.run,
    }


@asynccontextmanager
async def opened_resources(config: Config, clock: Clock) -> AsyncIterator[Resources]:
    async with AsyncExitStack() as stack:
        database = await Database.open(config.data_dir / "worker.db", MIGRATIONS)
        stack.push_async_callback(database.close)
        nonces = await asyncio.to_thread(open_nonces, config.data_dir, clock)
        stack.callback(nonces.close)
        engine = DockerEngine(config.docker_host)
        stack.push_async_callback(engine.close)
        files = ContainerFiles(config.docker_host)
        stack.push_async_callback(files.close)
        outgoing = await stack.enter_async_context(aiohttp.ClientSession())
        probing = await stack.enter_async_context(
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(force_close=True, limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        )
        yield Resources(
            database=database, nonces=nonces, engine=engine, files=files, outgoing=outgoing, probing=probing
        )


@asynccontextmanager
async def _mesh(config: Config, director: MeshDirector, clock: Clock) -> AsyncIterator[int]:
    relay = Relay(director, clock=clock, new_request_id=request_ids(clock))
    listening = _listen(config.mesh_host, config.mesh_port)
    await relay.serve(listening)
    try:
        yield int(listening.getsockname()[1])
    finally:
        await relay.drain(DRAIN_S)
        await relay.close()


@asynccontextmanager
async def _management(config: Config, app: web.Application) -> AsyncIterator[int]:
    # Bodies as they were sent: that is what is signed, and nothing unfolds to more than was looked at.
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=DRAIN_S, auto_decompress=False)
    await runner.setup()
    listening = _listen(config.host, config.port)
    await web.SockSite(runner, listening).start()
    try:
        yield int(listening.getsockname()[1])
    finally:
        await runner.cleanup()


def _listen(host: str, port: int) -> socket.socket:
    """`::` means every address of both families. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    both = host == "::" and socket.has_dualstack_ipv6()
    return socket.create_server((host, port), family=family, backlog=1024, dualstack_ipv6=both)
