"""The running worker: both listeners, the background jobs, and an orderly end that leaves the containers running."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

import structlog
from aiohttp import web

from shared.clock import Clock
from shared.config import Secret
from shared.supervise import BackgroundJob, supervised
from worker import VERSION
from worker.app import (
    Installation,
    Platform,
    Resources,
    background_jobs,
    build_management,
    build_platform,
    open_resources,
)
from worker.capacity import Machine
from worker.config import Config
from worker.enrolment import (
    Heartbeat,
    NodeFacts,
    NodeIdentity,
    join,
    join_patiently,
    local_address_towards,
    save_identity,
)
from worker.mesh.table import MeshTable

DRAIN_S = 30.0

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


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the worker really listens (a configured port may be 0)."""

    management: int
    mesh: int


async def serve(
    config: Config,
    installed: Installation,
    identity: NodeIdentity | None,
    clock: Clock,
    stop: asyncio.Event,
) -> None:
    """Until `stop`; then no new requests, those under way get thirty seconds, and the containers stay."""
    async with running(config, installed, identity, clock, stop.set) as ports:
        log.info("serving", version=VERSION, management_port=ports.management, mesh_port=ports.mesh)
        await stop.wait()
        log.info("stopping")
