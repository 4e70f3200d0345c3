"""The relay processes, as the control process keeps them: N that serve, and one that stands by to take a dead one's place.

Rules:
- Starting Python takes most of a second; a process that stands by takes over in milliseconds.
- Who is replaced when is a rule of its own (see `replacement`); when none ever becomes ready, we end too.
- What a process has counted outlives it.
"""

import asyncio
import signal
from asyncio import TaskGroup
from collections.abc import Callable, Sequence
from contextlib import suppress

import structlog

from gateway.accounts.principal import UserId
from gateway.metering.tails import Tails, journal_name
from gateway.observation.process_state import ProcessState, added
from gateway.observation.reports import RelayProcess
from gateway.processes.relay_end import Given, Phase, RelayEnd, Requests
from gateway.processes.replacement import Deaths
from gateway.tokens.tokens import Published
from shared.clock import Clock
from shared.relay.director import Target


class RelayProcesses:
    def __init__(
        self,
        wanted: int,
        first_number: int,
        given: Given,
        requests: Requests,
        tails: Tails,
        clock: Clock,
        on_death: Callable[[], None],
    ) -> None:
        self._wanted = wanted
        self._next_number = first_number
        self._given = given
        self._requests = requests
        self._tails = tails
        self._clock = clock
        self._on_death = on_death
        self._relays: dict[int, RelayEnd] = {}
        self._unwell: set[tuple[str, Target]] = set()
        self._past = ProcessState()
        self._changed = asyncio.Event()
        self._ending = False
        self._deaths = Deaths()
        self._not_before = 0.0
        self._log = structlog.get_logger("relays")
        self.replaced = 0

    async def run(self) -> None:
        """Keeps as many as are wanted. Runs until cancelled; they are then killed."""
        try:
            async with TaskGroup() as group:
                while True:
                    self._changed.clear()
                    self._promote()
                    delay = self._not_before - self._clock.monotonic()
                    if self._is_short() and delay <= 0:
                        await self._start(group)
                    else:
                        await self._change_within(delay if self._is_short() else None)
        finally:
            for relay in self._relays.values():
                relay.signal(signal.SIGKILL)

    async def drain(self, within_s: float, when_none_accepts: Callable[[], None]) -> None:
        """All are asked to end; what has not ended in time is killed."""
        self._ending = True
        for relay in self._relays.values():
            relay.signal(signal.SIGTERM)
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._until(lambda: not self._count(Phase.STARTING, Phase.STANDBY, Phase.SERVING))
                when_none_accepts()
                await self._until(lambda: not self._relays)

    def tell_changed(self, user_id: UserId) -> None:
        for relay in self._relays.values():
            relay.evict(user_id)

    def tell_keys(self, keys: Published) -> None:
        for relay in self._relays.values():
            relay.tell_keys(keys)

    def set_healthy(self, upstream: str, target: Target, *, healthy: bool) -> None:
        """What a health check has found. One that begins to serve later is told then."""
        if healthy:
            self._unwell.discard((upstream, target))
        else:
            self._unwell.add((upstream, target))
        for relay in self._relays.values():
            relay.tell_health(upstream, target, healthy=healthy)

    async def give_routes(self, text: str) -> None:
        """Returns when all that serve have them. One that does not take them is ended, and replaced."""
        await asyncio.gather(*(self._give(relay, text) for relay in self._relays.values()))

    async def states(self) -> Sequence[ProcessState]:
        await asyncio.gather(*(relay.ask_state() for relay in self._relays.values()))
        return self.last_states()

    def last_states(self) -> Sequence[ProcessState]:
        return (*(relay.state for relay in self._relays.values()), self._past)

    def relays(self) -> Sequence[RelayProcess]:
        return [relay.shown() for relay in self._relays.values()]

    def _count(self, *phases: Phase) -> int:
        return sum(relay.phase in phases for relay in self._relays.values())

    def _is_short(self) -> bool:
        """Of those that serve first, then of the one that stands by."""
        serving = self._count(Phase.SERVING)
        coming = self._count(Phase.STARTING, Phase.STANDBY)
        return not self._ending and coming < (1 if serving >= self._wanted else self._wanted - serving)

    def _promote(self) -> None:
        for relay in self._relays.values():
            if self._ending or self._count(Phase.SERVING) >= self._wanted:
                return
            if relay.phase is Phase.STANDBY:
                relay.serve(self._unwell)

    async def _start(self, group: TaskGroup) -> None:
        """Failure policy: a process that cannot be started counts as one that died at once."""
        number = self._next_number
        self._next_number += 1
        await self._tails.follow(journal_name(number))
        try:
            relay = await RelayEnd.start(number, self._given, self._requests, self._changed.set)
        except OSError as error:
            self._log.error("relay_process_not_started", number=number, error=str(error))
            self._tails.died(journal_name(number))
            self._replace_later(0.0, was_ready=False)
            return
        self._relays[number] = relay
        group.create_task(self._watch(relay), name=f"relay {number}")

    async def _watch(self, relay: RelayEnd) -> None:
        began = self._clock.monotonic()
        code = await relay.wait()
        lived_s = self._clock.monotonic() - began
        del self._relays[relay.number]
        self._past = added([self._past, relay.state.past()])
        self._tails.died(journal_name(relay.number))
        if not self._ending:
            self.replaced += 1
            self._log.warning(
                "relay_process_ended", number=relay.number, code=code, lived_s=round(lived_s, 1)
            )
            self._replace_later(lived_s, was_ready=relay.was_ready)
        self._changed.set()

    def _replace_later(self, lived_s: float, *, was_ready: bool) -> None:
        self._deaths = self._deaths.and_one(lived_s, was_ready=was_ready)
        self._not_before = self._clock.monotonic() + self._deaths.delay_s
        if self._deaths.is_hopeless and not self._count(Phase.SERVING, Phase.STANDBY):
            self._log.error("relay_processes_do_not_start", tried=self._deaths.before_ready)
            self._on_death()

    async def _change_within(self, seconds: float | None) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()

    async def _until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            self._changed.clear()
            await self._changed.wait()

    async def _give(self, relay: RelayEnd, text: str) -> None:
        if not await relay.take_routes(text):
            self._log.error("routes_not_taken", number=relay.number)
            relay.signal(signal.SIGTERM)
