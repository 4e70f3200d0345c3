"""APIGate as one process: the relay on the public listener, the control app behind it.

`gateway.processes.control` puts the same halves together as several processes.
"""

import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from gateway.config import Config
from gateway.control_side import ControlSide, open_control_side, serving_control
from gateway.listener import empty_queue
from gateway.observation.access_log import AccessLog
from gateway.observation.own_process import OwnProcess, RelayState
from gateway.observation.process_state import ProcessState
from gateway.observation.reports import Draining, RelayProcess
from gateway.observation.traffic import Traffic
from gateway.pipeline import Access, Billing
from gateway.relay_side import Outside, RelayNeeds, access_log, make_relay
from gateway.routes.current import CurrentRoutes
from shared.relay.server import Relay
from shared.supervise import supervised

DRAIN_S = 30.0


@dataclass(frozen=True, slots=True)
class Gateway:
    listener: socket.socket
    relay: Relay
    draining: Draining

    async def drain(self) -> None:
        """Refuses new connections, says so in `/health`, and waits up to 30 s for what is in flight."""
        self.draining.begun = True
        await empty_queue(self.listener)
        await self.relay.drain(DRAIN_S)


@asynccontextmanager
async def open_gateway(
    config: Config, routes: CurrentRoutes, listener: socket.socket, outside: Outside
) -> AsyncIterator[Gateway]:
    """Serves on `listener` until the block ends. Raises JournalLocked, OSError, sqlite3.Error, MigrationFailed, KeyFileInvalid."""
    async with AsyncExitStack() as stack:
        side = await open_control_side(stack, config, routes, outside)
        traffic = Traffic()
        log = access_log(config, outside.clock)
        if log is not None:
            await stack.enter_async_context(supervised({"access_log": log.run}, outside.on_death))
        relay = _relay(side, traffic, log, outside)
        side.upstream_health.tell(relay.set_healthy)
        draining = Draining()
        await stack.enter_async_context(
            serving_control(side, _OneProcess(_own(side, traffic, relay)), draining, outside)
        )
        stack.push_async_callback(relay.close)
        await relay.serve(listener)
        yield Gateway(listener, relay, draining)


@dataclass(frozen=True, slots=True)
class _OneProcess:
    own: OwnProcess
    replaced: int = 0

    async def states(self) -> Sequence[ProcessState]:
        return self.last_states()

    def last_states(self) -> Sequence[ProcessState]:
        return (self.own.state(),)

    def relays(self) -> Sequence[RelayProcess]:
        return ()


def _relay(side: ControlSide, traffic: Traffic, log: AccessLog | None, outside: Outside) -> Relay:
    accounting, accounts = side.accounting, side.accounts
    needs = RelayNeeds(
        access=Access(accounts.authenticator, accounts.ongoing_answers),
        billing=Billing(accounting.admission, accounting.meter, accounting.recovery.inquire),
        table=side.routes.table,
        traffic=traffic,
        control_socket=str(side.control_socket),
        access_log=log,
    )
    return make_relay(side.config, needs, outside)


def _own(side: ControlSide, traffic: Traffic, relay: Relay) -> OwnProcess:
    return OwnProcess(
        traffic=traffic,
        relay=RelayState(lambda: relay.in_flight, lambda: relay.connections, relay.upstream_state),
        upstreams=side.routes.upstreams,
        counting=side.counting,
        journal=side.accounting.journal,
    )
