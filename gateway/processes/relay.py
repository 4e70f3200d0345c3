"""A relay process: `python -m gateway.processes.relay NUMBER LISTENER LINK`, started by the control process and by nobody else.

LISTENER and LINK are inherited descriptors. Everything else comes from the environment, or over the link.

Rules:
- SIGTERM drains. SIGHUP and SIGINT are the control process's business; a terminal sends them to everyone.
- When the control process is gone there is nobody to record usage, sign users in or start a successor: the process drains,
  shortly, and ends. What it had begun is in its journal, for the next control process.
"""

import asyncio
import os
import signal
import socket
import sqlite3
import sys
from asyncio import Future
from collections.abc import Mapping
from dataclasses import asdict

import structlog
import uvloop
from typing_extensions import override

from gateway.accounts.directory import Directory
from gateway.accounts.principal import UserId
from gateway.collector import spare_what_stays
from gateway.config import Config
from gateway.metering.segments import JournalLocked
from gateway.observation.own_process import OwnProcess
from gateway.observation.process_state import ProcessState
from gateway.processes.link import Answer, Link, LinkUser, Members
from gateway.processes.relay_parts import Place, RelayParts, open_relay_parts
from gateway.relay_side import Outside
from gateway.routes.compiling import load_table
from gateway.routes.file import RouteFileInvalid
from gateway.routes.table import RouteTable
from gateway.tokens.published_keys import PublishedKeys
from gateway.tokens.verification import TokenVerifier
from shared.clock import SystemClock
from shared.config import ConfigInvalid
from shared.ids import request_ids
from shared.log import configure_logging
from shared.relay.director import Target
from shared.relay.server import Relay
from shared.supervise import BackgroundJob, supervised

DRAIN_S = 30.0
_DRAIN_ALONE_S = 5.0
_SAY_STATE_S = 0.2
_SAY_KEYS_S = 5.0
_LAST_WORDS_S = 1.0
_FAILED = 1
_USAGE = 2


class ControlEnd(LinkUser):
    """What the control process has said."""

    def __init__(self) -> None:
        self.begun: Future[Members] = asyncio.get_running_loop().create_future()
        self.may_serve = asyncio.Event()
        self.stop = asyncio.Event()
        self.is_alone = False
        self.new_routes: asyncio.Queue[tuple[str, Answer]] = asyncio.Queue()
        self.verifier = TokenVerifier(PublishedKeys({}))
        self.directory: Directory | None = None
        self.own: OwnProcess | None = None
        self.relay: Relay | None = None

    @override
    def told(self, kind: str, members: Members) -> None:
        match kind:
            case "keys":
                self.verifier.use(PublishedKeys.read(members["keys"]))
            case "begin":
                self.begun.set_result(members)
            case "serve":
                self.may_serve.set()
            case "routes":
                self.new_routes.put_nowait((str(members["text"]), _to_nobody))
            case "evict" if self.directory is not None:
                self.directory.evict(UserId(str(members["user_id"])))
            case "evict":
                """Nothing is cached yet."""
            case "health" if self.relay is not None:
                target = Target(**members["target"])  # type: ignore[arg-type]  # written by `asdict` of the same class
                self.relay.set_healthy(str(members["upstream"]), target, healthy=members["healthy"] is True)
            case _:
                raise ValueError(f"the control process does not say {kind!r}")

    @override
    def asked(self, kind: str, members: Members, answer: Answer) -> None:
        match kind:
            case "routes":
                self.new_routes.put_nowait((str(members["text"]), answer))
            case "state" if self.own is not None:
                answer(asdict(self.own.state()))
            case _:
                answer(None)

    @override
    def link_ended(self) -> None:
        self.is_alone = True
        self.stop.set()
        self.begun.cancel()


class GivenRoutes:
    """The routes in force, by the control process's word. It has read the same text with the same environment before."""

    def __init__(self, table: RouteTable, environment: Mapping[str, str], control: ControlEnd) -> None:
        self._table = table
        self._environment = environment
        self._control = control
        self._log = structlog.get_logger("routes")

    def table(self) -> RouteTable:
        return self._table

    async def follow(self) -> None:
        """Runs until cancelled."""
        while True:
            text, answer = await self._control.new_routes.get()
            try:
                self._table = await asyncio.to_thread(load_table, text, self._environment)
            except RouteFileInvalid as invalid:
                self._log.error("routes_refused", faults=[fault.text("routes") for fault in invalid.faults])
                answer(None)
            else:
                answer({})


def main() -> int:
    if len(sys.argv) != 4:
        sys.stderr.write("started by `python -m gateway` with GATEWAY_WORKERS above 1\n")
        return _USAGE
    number, listener, link = (int(argument) for argument in sys.argv[1:])
    for ignored in (signal.SIGHUP, signal.SIGINT):
        signal.signal(ignored, signal.SIG_IGN)
    environment = dict(os.environ)
    try:
        config = Config.from_env(environment)
    except ConfigInvalid as invalid:
        sys.stderr.write("".join(f"{fault}\n" for fault in invalid.faults))
        return _USAGE
    name = f"relay-{number}"
    configure_logging("gateway", config.log_level, config.log_form)
    structlog.contextvars.bind_contextvars(process=name)
    try:
        with (
            socket.socket(fileno=listener) as public,
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            return runner.run(_run(config, environment, name, public, socket.socket(fileno=link)))
    except (JournalLocked, OSError, sqlite3.Error) as error:
        sys.stderr.write(f"{name} cannot start: {error}\n")
        return _FAILED


async def _run(
    config: Config, environment: Mapping[str, str], name: str, listener: socket.socket, end: socket.socket
) -> int:
    control = ControlEnd()
    exit_codes = [0]

    def die() -> None:
        exit_codes.append(_FAILED)
        control.stop.set()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, control.stop.set)
    link = await Link.open(end, control)
    try:
        begin = await control.begun
    except asyncio.CancelledError:
        return 0
    table = await asyncio.to_thread(load_table, str(begin["text"]), environment)
    routes = GivenRoutes(table, environment, control)
    clock = SystemClock()
    place = Place(name, control.verifier, str(begin["control_socket"]), routes.table)
    outside = Outside(clock, request_ids(clock), die)
    async with open_relay_parts(config, place, link, outside) as parts:
        control.directory, control.own, control.relay = parts.directory, parts.own, parts.relay
        jobs: dict[str, BackgroundJob] = {
            "routes": routes.follow,
            "state": lambda: _say_state(link, parts.own),
            "keys_used": lambda: _say_keys_used(link, parts),
        }
        async with supervised(jobs, die):
            link.tell("ready", {})
            await _serve(parts, control, link, listener)
        link.tell("state", asdict(parts.own.state()))
    await link.finish(_LAST_WORDS_S)
    return exit_codes[-1]


async def _serve(parts: RelayParts, control: ControlEnd, link: Link, listener: socket.socket) -> None:
    stopped = asyncio.ensure_future(control.stop.wait())
    wanted = asyncio.ensure_future(control.may_serve.wait())
    try:
        await asyncio.wait((stopped, wanted), return_when=asyncio.FIRST_COMPLETED)
        if wanted.done() and not stopped.done():
            spare_what_stays()
            parts.relay.serve_shared(listener)
            structlog.get_logger("gateway").info("serving", pid=os.getpid())
        await stopped
    finally:
        wanted.cancel()
    link.tell("draining", {})
    structlog.get_logger("gateway").info("draining", in_flight=parts.relay.in_flight, alone=control.is_alone)
    await parts.relay.drain(_DRAIN_ALONE_S if control.is_alone else DRAIN_S)


async def _say_state(link: Link, own: OwnProcess) -> None:
    """So that little is lost when this process is killed. Runs until cancelled."""
    said: ProcessState | None = None
    while True:
        await asyncio.sleep(_SAY_STATE_S)
        state = own.state()
        if state != said:
            said = state
            link.tell("state", asdict(state))


async def _say_keys_used(link: Link, parts: RelayParts) -> None:
    """The control process writes `last_used_at`. Runs until cancelled."""
    while True:
        await asyncio.sleep(_SAY_KEYS_S)
        used = parts.authenticator.take_used_keys()
        if used:
            link.tell("keys_used", {"key_ids": sorted(used)})


def _to_nobody(_answered: Members | None) -> None:
    """It was told, not asked."""


if __name__ == "__main__":
    sys.exit(main())
