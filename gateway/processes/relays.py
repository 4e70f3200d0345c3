"""The relay processes, as the control process keeps them: N that serve, and one that stands by to take a dead one's place.

| phase    | is left for | when                                                     |
|----------|-------------|----------------------------------------------------------|
| STARTING | STANDBY     | it says that it is ready                                 |
| STANDBY  | SERVING     | fewer than N serve                                       |
| SERVING  | DRAINING    | it says so: it was sent SIGTERM                          |
| any      | GONE        | its link or its process has ended, whatever the cause    |

Rules:
- Starting Python takes most of a second; a process that stands by takes over in milliseconds.
- One that dies young is replaced at once the first time, then with growing delays; when none ever becomes ready, we end too.
- What a process has counted outlives it.
"""

import asyncio
import signal
import socket
import sys
from asyncio import TaskGroup
from asyncio.subprocess import Process
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import Enum

import structlog
from typing_extensions import override

from gateway.accounts.principal import UserId
from gateway.metering.tails import Tails, journal_name
from gateway.observation.process_state import ProcessState, added
from gateway.observation.reports import RelayProcess
from gateway.processes.link import Answer, Link, LinkEnded, LinkUser, Members
from gateway.tokens.tokens import Published
from shared.clock import Clock
from shared.relay.director import Target

_YOUNG_S = 5.0
_FIRST_DELAY_S = 0.1
_LONGEST_DELAY_S = 5.0
_MOST_FAILED_STARTS = 5
_STATE_WITHIN_S = 0.3
_ROUTES_WITHIN_S = 5.0
_LAST_WORDS_S = 1.0


class Phase(Enum):
    STARTING = "starting"
    STANDBY = "standby"
    SERVING = "serving"
    DRAINING = "draining"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Given:
    """What a relay process is started with. `routes` is the text of the routes in force, `keys` the public halves of all that verify."""

    listener: socket.socket
    control_socket: str
    routes: Callable[[], str]
    keys: Callable[[], Published]


@dataclass(frozen=True, slots=True)
class Requests:
    """What relay processes want of the control process."""

    seed: Callable[[Members, Answer], None]
    keys_used: Callable[[Sequence[str]], None]


class _Relay(LinkUser):
    def __init__(
        self, number: int, process: Process, requests: Requests, changed: Callable[[], None]
    ) -> None:
        self.number = number
        self.process = process
        self.phase = Phase.STARTING
        self.state = ProcessState()
        self.was_ready = False
        self.ended = asyncio.Event()
        self._requests = requests
        self._changed = changed

    @override
    def told(self, kind: str, members: Members) -> None:
        match kind:
            case "ready":
                self.was_ready = True
                self._enter(Phase.STANDBY)
            case "draining":
                self._enter(Phase.DRAINING)
            case "state":
                self.state = _state(members)
            case "keys_used":
                self._requests.keys_used([str(key_id) for key_id in _list(members["key_ids"])])
            case _:
                raise ValueError(f"a relay process does not say {kind!r}")

    @override
    def asked(self, kind: str, members: Members, answer: Answer) -> None:
        if kind == "seed":
            self._requests.seed(members, answer)
        else:
            answer(None)

    @override
    def link_ended(self) -> None:
        self._enter(Phase.GONE)
        self.ended.set()

    def _enter(self, phase: Phase) -> None:
        self.phase = phase
        self._changed()


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
        self._relays: dict[int, tuple[_Relay, Link]] = {}
        self._unwell: set[tuple[str, Target]] = set()
        self._past = ProcessState()
        self._changed = asyncio.Event()
        self._ending = False
        self._failures = 0
        self._failed_starts = 0
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
            for relay, _ in self._relays.values():
                _signal(relay.process, signal.SIGKILL)

    async def drain(self, within_s: float, when_none_accepts: Callable[[], None]) -> None:
        """All are asked to end; what has not ended in time is killed."""
        self._ending = True
        for relay, _ in self._relays.values():
            _signal(relay.process, signal.SIGTERM)
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._until(lambda: not self._count(Phase.STARTING, Phase.STANDBY, Phase.SERVING))
                when_none_accepts()
                await self._until(lambda: not self._relays)

    def tell_changed(self, user_id: UserId) -> None:
        for _, link in self._relays.values():
            link.tell("evict", {"user_id": user_id})

    def tell_keys(self, keys: Published) -> None:
        for _, link in self._relays.values():
            link.tell("keys", {"keys": keys})

    def set_healthy(self, upstream: str, target: Target, *, healthy: bool) -> None:
        """What a health check has found. One that begins to serve later is told then."""
        if healthy:
            self._unwell.discard((upstream, target))
        else:
            self._unwell.add((upstream, target))
        for relay, link in self._relays.values():
            if relay.phase is Phase.SERVING:
                _tell_health(link, upstream, target, healthy=healthy)

    async def give_routes(self, text: str) -> None:
        """Returns when all that serve have them. One that does not take them is ended, and replaced."""
        ready = (Phase.STANDBY, Phase.SERVING)
        asked = []
        for relay, link in self._relays.values():
            if relay.phase in ready:
                asked.append(self._give(relay, link, text))
            else:
                link.tell("routes", {"text": text})
        await asyncio.gather(*asked)

    async def states(self) -> Sequence[ProcessState]:
        await asyncio.gather(*(self._ask_state(relay, link) for relay, link in self._relays.values()))
        return self.last_states()

    def last_states(self) -> Sequence[ProcessState]:
        return (*(relay.state for relay, _ in self._relays.values()), self._past)

    def relays(self) -> Sequence[RelayProcess]:
        return [
            RelayProcess(
                relay.number,
                relay.process.pid,
                relay.phase.value,
                relay.state.in_flight,
                relay.state.connections,
            )
            for relay, _ in self._relays.values()
        ]

    def _count(self, *phases: Phase) -> int:
        return sum(relay.phase in phases for relay, _ in self._relays.values())

    def _is_short(self) -> bool:
        """Of those that serve first, then of the one that stands by."""
        serving = self._count(Phase.SERVING)
        coming = self._count(Phase.STARTING, Phase.STANDBY)
        return not self._ending and coming < (1 if serving >= self._wanted else self._wanted - serving)

    def _promote(self) -> None:
        for relay, link in self._relays.values():
            if self._ending or self._count(Phase.SERVING) >= self._wanted:
                return
            if relay.phase is Phase.STANDBY:
                relay.phase = Phase.SERVING
                for upstream, target in self._unwell:
                    _tell_health(link, upstream, target, healthy=False)
                link.tell("serve", {})

    async def _start(self, group: TaskGroup) -> None:
        number = self._next_number
        self._next_number += 1
        await self._tails.follow(journal_name(number))
        here, there = socket.socketpair()
        with there:
            listener = self._given.listener
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "gateway.processes.relay"),
                *(str(number), str(listener.fileno()), str(there.fileno())),
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=(listener.fileno(), there.fileno()),
            )
        relay = _Relay(number, process, self._requests, self._changed.set)
        link = await Link.open(here, relay)
        link.tell("keys", {"keys": self._given.keys()})
        link.tell("begin", {"text": self._given.routes(), "control_socket": self._given.control_socket})
        self._relays[number] = (relay, link)
        group.create_task(self._watch(relay, link), name=f"relay {number}")

    async def _watch(self, relay: _Relay, link: Link) -> None:
        began = self._clock.monotonic()
        code = await relay.process.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS_S):
                await relay.ended.wait()
        link.close()
        del self._relays[relay.number]
        self._past = added([self._past, relay.state.past()])
        self._tails.died(journal_name(relay.number))
        if not self._ending:
            self._replace_later(relay, code, self._clock.monotonic() - began)
        self._changed.set()

    def _replace_later(self, relay: _Relay, code: int, lived_s: float) -> None:
        self.replaced += 1
        self._log.warning("relay_process_ended", number=relay.number, code=code, lived_s=round(lived_s, 1))
        if lived_s >= _YOUNG_S:
            self._failures = 0
            return
        self._failures += 1
        if self._failures > 1:
            delay = min(_FIRST_DELAY_S * 2 ** (self._failures - 2), _LONGEST_DELAY_S)
            self._not_before = self._clock.monotonic() + delay
        self._failed_starts = 0 if relay.was_ready else self._failed_starts + 1
        if self._failed_starts >= _MOST_FAILED_STARTS and not self._count(Phase.SERVING, Phase.STANDBY):
            self._log.error("relay_processes_do_not_start", tried=self._failed_starts)
            self._on_death()

    async def _change_within(self, seconds: float | None) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()

    async def _until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            self._changed.clear()
            await self._changed.wait()

    async def _give(self, relay: _Relay, link: Link, text: str) -> None:
        try:
            await link.ask("routes", {"text": text}, _ROUTES_WITHIN_S)
        except (LinkEnded, TimeoutError):
            self._log.error("routes_not_taken", number=relay.number)
            _signal(relay.process, signal.SIGTERM)

    async def _ask_state(self, relay: _Relay, link: Link) -> None:
        if relay.phase in {Phase.SERVING, Phase.DRAINING}:
            with suppress(LinkEnded, TimeoutError):
                relay.state = _state(await link.ask("state", {}, _STATE_WITHIN_S))


def _signal(process: Process, number: int) -> None:
    with suppress(ProcessLookupError):
        process.send_signal(number)


def _tell_health(link: Link, upstream: str, target: Target, *, healthy: bool) -> None:
    link.tell("health", {"upstream": upstream, "target": asdict(target), "healthy": healthy})


def _state(members: Members) -> ProcessState:
    return ProcessState(**members)  # type: ignore[arg-type]  # written by `asdict` of the same class


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
