"""The control process's end of one relay process: started, listened to, told what it has to know.

| phase    | is left for | when                                                     |
|----------|-------------|----------------------------------------------------------|
| STARTING | STANDBY     | it says that it is ready                                 |
| STANDBY  | SERVING     | it is told to serve                                      |
| SERVING  | DRAINING    | it says so: it was sent SIGTERM                          |
| any      | GONE        | its link or its process has ended, whatever the cause    |
"""

import asyncio
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import Enum

from typing_extensions import override

from gateway.accounts.principal import UserId
from gateway.observation.process_state import ProcessState
from gateway.observation.reports import RelayProcess
from gateway.processes.link import Answer, Link, LinkEnded, LinkUser, Members
from gateway.tokens.tokens import Published
from shared.relay.director import Target

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


class _Voice(LinkUser):
    """What the relay process says."""

    def __init__(self, requests: Requests, changed: Callable[[], None]) -> None:
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
                self.enter(Phase.STANDBY)
            case "draining":
                self.enter(Phase.DRAINING)
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
        self.enter(Phase.GONE)
        self.ended.set()

    def enter(self, phase: Phase) -> None:
        self.phase = phase
        self._changed()


class RelayEnd:
    def __init__(self, number: int, process: Process, link: Link, voice: _Voice) -> None:
        self.number = number
        self._process = process
        self._link = link
        self._voice = voice

    @classmethod
    async def start(
        cls, number: int, given: Given, requests: Requests, changed: Callable[[], None]
    ) -> "RelayEnd":
        """Raises OSError when there can be no more processes."""
        here, there = socket.socketpair()
        with there:
            try:
                process = await _spawn(number, given.listener, there)
            except BaseException:
                here.close()
                raise
        voice = _Voice(requests, changed)
        link = await Link.open(here, voice)
        link.tell("keys", {"keys": given.keys()})
        link.tell("begin", {"text": given.routes(), "control_socket": given.control_socket})
        return cls(number, process, link, voice)

    @property
    def phase(self) -> Phase:
        return self._voice.phase

    @property
    def state(self) -> ProcessState:
        """As it last said."""
        return self._voice.state

    @property
    def was_ready(self) -> bool:
        return self._voice.was_ready

    def shown(self) -> RelayProcess:
        state = self.state
        return RelayProcess(
            self.number, self._process.pid, self.phase.value, state.in_flight, state.connections
        )

    def serve(self, unwell: Iterable[tuple[str, Target]]) -> None:
        """`unwell` are the targets that health checks have found to be so."""
        self._voice.phase = Phase.SERVING
        for upstream, target in unwell:
            self.tell_health(upstream, target, healthy=False)
        self._link.tell("serve", {})

    def tell_health(self, upstream: str, target: Target, *, healthy: bool) -> None:
        """Nothing is told before it serves."""
        if self.phase is Phase.SERVING:
            members = {"upstream": upstream, "target": asdict(target), "healthy": healthy}
            self._link.tell("health", members)

    def evict(self, user_id: UserId) -> None:
        self._link.tell("evict", {"user_id": user_id})

    def tell_keys(self, keys: Published) -> None:
        self._link.tell("keys", {"keys": keys})

    async def take_routes(self, text: str) -> bool:
        """Whether it has them. One that is not ready yet, or does not serve any more, is only told."""
        if self.phase not in {Phase.STANDBY, Phase.SERVING}:
            self._link.tell("routes", {"text": text})
            return True
        try:
            await self._link.ask("routes", {"text": text}, _ROUTES_WITHIN_S)
        except (LinkEnded, TimeoutError):
            return False
        return True

    async def ask_state(self) -> None:
        """What it last said stays when it does not answer in time."""
        if self.phase in {Phase.SERVING, Phase.DRAINING}:
            with suppress(LinkEnded, TimeoutError):
                self._voice.state = _state(await self._link.ask("state", {}, _STATE_WITHIN_S))

    def signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def wait(self) -> int:
        """Its exit code, when it has ended and its last words are heard."""
        code = await self._process.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS_S):
                await self._voice.ended.wait()
        self._link.close()
        return code


async def _spawn(number: int, listener: socket.socket, link: socket.socket) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "gateway.processes.relay"),
        *(str(number), str(listener.fileno()), str(link.fileno())),
        stdin=asyncio.subprocess.DEVNULL,
        pass_fds=(listener.fileno(), link.fileno()),
    )


def _state(members: Members) -> ProcessState:
    return ProcessState(**members)  # type: ignore[arg-type]  # written by `asdict` of the same class


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
