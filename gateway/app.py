"""APIGate put together: accounts, counters, metering, pipeline, the relay on the public listener, the control app behind it."""

import asyncio
import socket
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from gateway.accounts.accounts import Accounts, open_accounts
from gateway.api.app import control_app
from gateway.api.reports import Operator
from gateway.config import Config
from gateway.counters.opening import Counting, open_counting
from gateway.director import Control, GatewayDirector, Refusals
from gateway.metering.opening import Accounting, open_accounting
from gateway.metering.recovery import Inquiry
from gateway.observation.reports import Draining, GatewayReport, RelayState
from gateway.observation.traffic import CONTROL, Traffic
from gateway.observation.upstream_health import UpstreamHealth
from gateway.pipeline import Billing, Pipeline
from gateway.problems import problem_table
from gateway.routes.current import CurrentRoutes
from gateway.rules.client_address import TrustedProxies
from gateway.steps.step_12_forward_upstream import Signer
from gateway.upstream_client import UpstreamClient
from shared.clock import Clock
from shared.relay.director import Target, UpstreamSpec
from shared.relay.server import Relay
from shared.supervise import BackgroundJob, supervised

DRAIN_S = 30.0
_LONGEST_SOCKET_PATH = 100


@dataclass(frozen=True, slots=True)
class Outside:
    """What the process gives the gateway: time, ids, and a way to say that it cannot go on."""

    clock: Clock
    new_request_id: Callable[[], str]
    on_death: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Gateway:
    relay: Relay
    draining: Draining

    async def drain(self) -> None:
        """Refuses new connections, says so in `/health`, and waits up to 30 s for what is in flight."""
        self.draining.begun = True
        await self.relay.drain(DRAIN_S)


@asynccontextmanager
async def open_gateway(
    config: Config, routes: CurrentRoutes, listener: socket.socket, outside: Outside
) -> AsyncIterator[Gateway]:
    """Serves on `listener` until the block ends. Raises JournalLocked, OSError, sqlite3.Error, MigrationFailed, KeyFileInvalid."""
    async with AsyncExitStack() as stack:
        parts = await _open_parts(stack, config, routes, outside)
        proxies = TrustedProxies(config.trusted_proxies)
        control = Control(_control_upstream(stack, config.paths.data_dir), proxies, parts.traffic)
        director = _director(config, routes, parts, control, outside)
        relay = Relay(director, clock=outside.clock, new_request_id=outside.new_request_id)
        parts.upstream_health.tell(relay.set_healthy)
        draining = Draining()
        report = _report(routes, parts, relay, draining, outside)
        app = control_app(
            parts.accounts,
            parts.accounting.books,
            routes.plans,
            Operator(health=report, stats=report, token=config.operator_token),
            outside.clock,
            outside.new_request_id,
        )
        await stack.enter_async_context(_serving_control(app, control.upstream))
        stack.push_async_callback(relay.close)
        await relay.serve(listener)
        yield Gateway(relay, draining)


@dataclass(frozen=True, slots=True)
class _Parts:
    accounts: Accounts
    counting: Counting
    accounting: Accounting
    upstream_health: UpstreamHealth
    traffic: Traffic


async def _open_parts(
    stack: AsyncExitStack, config: Config, routes: CurrentRoutes, outside: Outside
) -> _Parts:
    data_dir, clock, on_death = config.paths.data_dir, outside.clock, outside.on_death
    await asyncio.to_thread(data_dir.mkdir, mode=0o700, parents=True, exist_ok=True)
    client = UpstreamClient()
    stack.push_async_callback(client.close)
    counting = await stack.enter_async_context(open_counting(config.redis, data_dir, clock, on_death))
    inquiry = Inquiry(client, config.identity_secret, clock, outside.new_request_id)
    accounting = await stack.enter_async_context(
        open_accounting(data_dir, routes, counting, inquiry, clock, on_death)
    )
    accounts = await stack.enter_async_context(open_accounts(data_dir, config.token_ttl, clock, on_death))
    health = UpstreamHealth(client, routes.upstreams, clock)
    jobs: dict[str, BackgroundJob] = {"routes": routes.watch, "upstream_health": health.run}
    await stack.enter_async_context(supervised(jobs, on_death))
    return _Parts(accounts, counting, accounting, health, Traffic())


def _director(
    config: Config, routes: CurrentRoutes, parts: _Parts, control: Control, outside: Outside
) -> GatewayDirector:
    refusals = Refusals(problem_table(outside.clock.now), parts.traffic)
    accounting = parts.accounting
    pipeline = Pipeline(
        authenticator=parts.accounts.authenticator,
        billing=Billing(accounting.admission, accounting.meter, accounting.recovery.inquire),
        signer=Signer(config.identity_secret, outside.clock),
        proxies=control.proxies,
        traffic=parts.traffic,
        refuse=refusals.refuse,
        clock=outside.clock,
    )
    return GatewayDirector(routes.table, pipeline, control, refusals)


def _report(
    routes: CurrentRoutes, parts: _Parts, relay: Relay, draining: Draining, outside: Outside
) -> GatewayReport:
    return GatewayReport(
        draining=draining,
        upstreams=routes.upstreams,
        upstream_health=parts.upstream_health,
        counters=parts.counting.counters,
        settlements=parts.counting.settlements,
        journal=parts.accounting.journal,
        recovery=parts.accounting.recovery,
        traffic=parts.traffic,
        relay=RelayState(lambda: relay.in_flight, relay.upstream_state),
        clock=outside.clock,
        started_at=outside.clock.now(),
    )


def _control_upstream(stack: AsyncExitStack, data_dir: Path) -> UpstreamSpec:
    """The private socket: in the data directory, or in a private folder where that path is too long for a socket (108 bytes)."""
    path = (data_dir / "control.sock").absolute()
    if len(str(path).encode()) > _LONGEST_SOCKET_PATH:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="apigate-"))
        path = Path(folder) / "control.sock"
    return UpstreamSpec(name=CONTROL, targets=(Target("localhost", 0, str(path)),))


@asynccontextmanager
async def _serving_control(app: web.Application, upstream: UpstreamSpec) -> AsyncIterator[None]:
    path = Path(upstream.targets[0].unix_path or "")
    await asyncio.to_thread(path.unlink, missing_ok=True)
    # The access log is the relay's business; a keep-alive longer than the relay's own keeps pooled connections good.
    runner = web.AppRunner(app, access_log=None, keepalive_timeout=75.0, handle_signals=False)
    await runner.setup()
    try:
        await web.UnixSite(runner, str(path)).start()
        await asyncio.to_thread(path.chmod, 0o600)
        yield
    finally:
        await runner.cleanup()
        await asyncio.to_thread(path.unlink, missing_ok=True)
