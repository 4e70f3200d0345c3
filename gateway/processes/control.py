"""The control process: it keeps the books and the relay processes, and relays nothing itself."""

import asyncio
import socket
from asyncio import TaskGroup
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

import structlog

from gateway.accounts.accounts import Accounts
from gateway.accounts.principal import UserId
from gateway.config import Config
from gateway.control_side import ControlSide, open_control_side, serving_control
from gateway.counters.port import Seed
from gateway.listener import empty_queue
from gateway.metering.books import Books
from gateway.observation.own_process import OwnProcess
from gateway.observation.process_state import ProcessState
from gateway.observation.reports import Draining, RelayProcess
from gateway.observation.traffic import Traffic
from gateway.processes.link import Answer, Members
from gateway.processes.relay_end import Given, Requests
from gateway.processes.relays import RelayProcesses
from gateway.relay_side import Outside
from gateway.routes.current import CurrentRoutes
from gateway.rules.period import Period, period_named
from shared.supervise import BackgroundJob, forever, supervised

DRAIN_S = 32.0
"""A little longer than a relay process takes at most."""

_LAST_ANSWERS_S = 1.0
"""Longer than any process, however busy, takes an answer of Redis for one and acts on it."""


class Desk:
    """Answers what relay processes ask."""

    def __init__(self, books: Books, accounts: Accounts) -> None:
        self._books = books
        self._accounts = accounts
        self._seeds: asyncio.Queue[tuple[Members, Answer]] = asyncio.Queue()
        self._keys: asyncio.Queue[Sequence[str]] = asyncio.Queue()
        self._log = structlog.get_logger("desk")

    def seed(self, members: Members, answer: Answer) -> None:
        self._seeds.put_nowait((members, answer))

    def keys_used(self, key_ids: Sequence[str]) -> None:
        self._keys.put_nowait(key_ids)

    async def answer_seeds(self) -> None:
        """Runs until cancelled."""
        async with TaskGroup() as group:
            while True:
                members, answer = await self._seeds.get()
                group.create_task(self._answer_seed(members, answer), name="seed")

    async def _answer_seed(self, members: Members, answer: Answer) -> None:
        """Failure policy: the relay process is told that there is no answer, and refuses what it cannot count."""
        try:
            seed = await self._seed(UserId(str(members["user_id"])), period_named(str(members["period"])))
        except Exception:  # noqa: BLE001 - see the failure policy
            self._log.exception("seed_not_answered")
            answer(None)
        else:
            answer({"used": seed.used, "open_ids": list(seed.open_ids)})

    async def _seed(self, user_id: UserId, period: Period) -> Seed:
        """A user who has used something had a counter that is lost. Another process may have reserved on it and not yet have read
        Redis's answer, so that its journal does not know of the request: the count is taken when all such answers are in.
        """
        seed = await self._books.seed(user_id, period)
        if not seed.used and not seed.open_ids:
            return seed
        await asyncio.sleep(_LAST_ANSWERS_S)
        return await self._books.seed(user_id, period)

    async def note_keys(self) -> None:
        await self._accounts.keys.note_use(await self._keys.get())


@dataclass(frozen=True, slots=True)
class _AllProcesses:
    own: OwnProcess
    relay_processes: RelayProcesses

    async def states(self) -> Sequence[ProcessState]:
        return (self.own.state(), *(await self.relay_processes.states()))

    def last_states(self) -> Sequence[ProcessState]:
        return (self.own.state(), *self.relay_processes.last_states())

    def relays(self) -> Sequence[RelayProcess]:
        return self.relay_processes.relays()

    @property
    def replaced(self) -> int:
        return self.relay_processes.replaced


@dataclass(frozen=True, slots=True)
class ControlledGateway:
    listener: socket.socket
    relays: RelayProcesses
    draining: Draining

    async def drain(self) -> None:
        """Refuses new connections, says so in `/health`, and waits for the relay processes, which take up to 30 s."""
        self.draining.begun = True
        await empty_queue(self.listener)
        await self.relays.drain(DRAIN_S, self.listener.close)


@asynccontextmanager
async def open_controlled_gateway(
    config: Config, routes: CurrentRoutes, listener: socket.socket, outside: Outside
) -> AsyncIterator[ControlledGateway]:
    """Serves on `listener` until the block ends. Raises JournalLocked, OSError, sqlite3.Error, MigrationFailed, KeyFileInvalid."""
    async with AsyncExitStack() as stack:
        side = await open_control_side(stack, config, routes, outside)
        desk = Desk(side.accounting.books, side.accounts)
        relays = _relay_processes(side, desk, listener, outside)
        side.accounts.changes.publish = relays.tell_changed
        side.accounts.tokens.publish = relays.tell_keys
        routes.pass_on = relays.give_routes
        side.upstream_health.tell(relays.set_healthy)
        draining = Draining()
        await stack.enter_async_context(
            serving_control(side, _AllProcesses(_own(side), relays), draining, outside)
        )
        jobs: dict[str, BackgroundJob] = {
            "seeds": desk.answer_seeds,
            "keys_used": partial(forever, 0.0, desk.note_keys, "keys_used"),
            "relays": relays.run,
        }
        await stack.enter_async_context(supervised(jobs, outside.on_death))
        yield ControlledGateway(listener, relays, draining)


def _relay_processes(
    side: ControlSide, desk: Desk, listener: socket.socket, outside: Outside
) -> RelayProcesses:
    accounting, routes = side.accounting, side.routes
    return RelayProcesses(
        side.config.workers,
        accounting.next_relay,
        Given(listener, str(side.control_socket), lambda: routes.text, side.accounts.tokens.published),
        Requests(desk.seed, desk.keys_used),
        accounting.tails,
        outside.clock,
        outside.on_death,
    )


def _own(side: ControlSide) -> OwnProcess:
    return OwnProcess(
        traffic=Traffic(),
        relay=None,
        upstreams=side.routes.upstreams,
        counting=side.counting,
        journal=side.accounting.journal,
    )
