"""The half of the gateway that keeps the books: accounts, ledger, counters, and the control app on a private socket."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from gateway.accounts.accounts import Accounts, open_accounts
from gateway.api.app import control_app
from gateway.api.reports import Operator
from gateway.config import Config
from gateway.counters.opening import Counting, open_counting
from gateway.metering.inquiry import Inquiry
from gateway.metering.opening import Accounting, open_accounting
from gateway.observation.reports import Draining, GatewayReport, JournalReport, Processes
from gateway.observation.upstream_health import UpstreamHealth
from gateway.relay_side import Outside
from gateway.routes.administration import AdministeredRoutes
from gateway.routes.current import CurrentRoutes
from gateway.upstream_client import UpstreamClient
from shared.behind_relay import ADMITTED
from shared.supervise import BackgroundJob, supervised

_LONGEST_SOCKET_PATH = 100
_BACKLOG = 4096
"""A connection beyond it is refused at once, which a crowd at the sign-in would be told as 502."""


@dataclass(frozen=True, slots=True)
class ControlSide:
    config: Config
    routes: CurrentRoutes
    accounts: Accounts
    counting: Counting
    accounting: Accounting
    upstream_health: UpstreamHealth
    control_socket: Path


async def open_control_side(
    stack: AsyncExitStack, config: Config, routes: CurrentRoutes, outside: Outside
) -> ControlSide:
    """Closed with `stack`. Raises JournalLocked, OSError, sqlite3.Error, MigrationFailed, KeyFileInvalid."""
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
    socket_path = _socket_path(stack, data_dir)
    return ControlSide(config, routes, accounts, counting, accounting, health, socket_path)


@asynccontextmanager
async def serving_control(
    side: ControlSide, processes: Processes, draining: Draining, outside: Outside
) -> AsyncIterator[None]:
    report = GatewayReport(
        draining=draining,
        upstreams=side.routes.upstreams,
        upstream_health=side.upstream_health,
        journal=JournalReport(
            own=side.accounting.journal, tails=side.accounting.tails, recovery=side.accounting.recovery
        ),
        processes=processes,
        clock=outside.clock,
        started_at=outside.clock.now(),
    )
    app = control_app(
        side.accounts,
        side.accounting.books,
        side.routes.plans,
        AdministeredRoutes(side.routes),
        Operator(health=report, stats=report, token=side.config.operator_token),
        outside.clock,
        outside.new_request_id,
    )
    path = side.control_socket
    await asyncio.to_thread(path.unlink, missing_ok=True)
    # The access log is the relay's business; a keep-alive longer than the relay's own keeps pooled connections good.
    runner = web.AppRunner(
        app, access_log=None, keepalive_timeout=75.0, handle_signals=False, auto_decompress=False, **ADMITTED
    )
    await runner.setup()
    try:
        await web.UnixSite(runner, str(path), backlog=_BACKLOG).start()
        await asyncio.to_thread(path.chmod, 0o600)
        yield
    finally:
        await runner.cleanup()
        await asyncio.to_thread(path.unlink, missing_ok=True)


def _socket_path(stack: AsyncExitStack, data_dir: Path) -> Path:
    """In the data directory, or in a private folder where that path is too long for a socket (108 bytes)."""
    path = (data_dir / "control.sock").absolute()
    if len(str(path).encode()) > _LONGEST_SOCKET_PATH:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="apigate-"))
        path = Path(folder) / "control.sock"
    return path
