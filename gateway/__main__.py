"""`python -m gateway`: serve, check a route file, and the operator's commands on users and keys."""

import argparse
import asyncio
import os
import signal
import socket
import sqlite3
import sys
from collections.abc import Mapping

import structlog
import uvloop

from gateway.accounts.cli import add_users_command, run_users_command
from gateway.app import open_gateway
from gateway.collector import spare_what_stays
from gateway.config import Config, Paths, token_ttl
from gateway.listener import listen
from gateway.metering.segments import JournalLocked
from gateway.processes.control import open_controlled_gateway
from gateway.relay_side import Outside
from gateway.routes.checking import add_check_command, run_check_command
from gateway.routes.current import CurrentRoutes, LoadedRoutes, read_routes
from gateway.routes.file import RouteFileInvalid
from gateway.tokens.key_files import KeyFileInvalid
from gateway.tokens.rotation import rotate
from shared.clock import SystemClock
from shared.config import ConfigInvalid, Environment
from shared.database import MigrationFailed
from shared.ids import request_ids
from shared.log import configure_logging

INVALID = 2
FAILED = 1


def main() -> int:
    arguments = _parser().parse_args()
    environment = dict(os.environ)
    paths = Paths.from_env(environment)
    match arguments.command:
        case "check":
            return run_check_command(arguments, paths.routes, environment)
        case "users":
            return _users(arguments, paths, environment)
        case "keys":
            return _rotate_keys(paths, environment)
        case _:
            return _serve(environment)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m gateway", description="APIGate")
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("serve", help="serve (what happens without a command)")
    add_check_command(commands)
    add_users_command(commands)
    keys = commands.add_parser("keys", help="signing keys").add_subparsers(dest="action", required=True)
    keys.add_parser("rotate", help="sign with a new key; old ones verify until their tokens have expired")
    return parser


def _serve(environment: Mapping[str, str]) -> int:
    loaded = _read_routes(Paths.from_env(environment), environment)
    try:
        config = Config.from_env(environment)
    except ConfigInvalid as invalid:
        return _complain(invalid.faults, INVALID)
    if loaded is None:
        return INVALID
    configure_logging("gateway", config.log_level, config.log_form)
    try:
        listener = listen(config.host, config.port)
    except OSError as error:
        return _complain([f"cannot listen on {config.host}:{config.port}: {error.strerror or error}"], FAILED)
    with listener:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                return runner.run(_run(config, environment, loaded, listener))
        except (JournalLocked, OSError, sqlite3.Error, MigrationFailed, KeyFileInvalid) as error:
            return _complain([f"cannot start: {error}"], FAILED)


async def _run(
    config: Config, environment: Mapping[str, str], loaded: LoadedRoutes, listener: socket.socket
) -> int:
    clock = SystemClock()
    routes = CurrentRoutes(config.paths.routes, environment, loaded)
    stop = asyncio.Event()
    exit_codes = [0]

    def die() -> None:
        exit_codes.append(FAILED)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, routes.ask_reload)
    log = structlog.get_logger("gateway")
    opening = open_gateway if config.workers == 1 else open_controlled_gateway
    async with opening(config, routes, listener, Outside(clock, request_ids(clock), die)) as gateway:
        host, port = listener.getsockname()[:2]
        spare_what_stays()
        log.info(
            "listening",
            host=host,
            port=port,
            routes=len(loaded.table.routes),
            counters="redis" if config.redis else "local",
            relay_processes=config.workers,
        )
        await stop.wait()
        log.info("draining")
        await gateway.drain()
    log.info("stopped")
    return exit_codes[-1]


def _read_routes(paths: Paths, environment: Mapping[str, str]) -> LoadedRoutes | None:
    try:
        return read_routes(paths.routes, environment)
    except RouteFileInvalid as invalid:
        _complain([fault.text(str(paths.routes)) for fault in invalid.faults], INVALID)
    except (OSError, UnicodeDecodeError) as error:
        _complain([f"GATEWAY_ROUTES: {error}"], INVALID)
    return None


def _users(arguments: argparse.Namespace, paths: Paths, environment: Mapping[str, str]) -> int:
    loaded = _read_routes(paths, environment) if arguments.action == "set-plan" else None
    if loaded is None and arguments.action == "set-plan":
        return INVALID
    return run_users_command(arguments, paths.data_dir, loaded.table.plans.by_id.keys() if loaded else ())


def _rotate_keys(paths: Paths, environment: Mapping[str, str]) -> int:
    variables = Environment(environment)
    life_s = token_ttl(variables)
    try:
        variables.close()
        rotation = rotate(paths.data_dir, life_s, SystemClock().now())
    except ConfigInvalid as invalid:
        return _complain(invalid.faults, INVALID)
    except (KeyFileInvalid, OSError) as error:
        return _complain([str(error)], FAILED)
    lines = [f"new: {rotation.new}", *(f"still verifying: {kid}" for kid in rotation.still_verifying)]
    lines += [f"removed: {kid}" for kid in rotation.removed]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def _complain(lines: list[str], exit_code: int) -> int:
    sys.stderr.write("".join(f"{line}\n" for line in lines))
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
