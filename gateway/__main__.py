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
from gateway.app import Gateway, Outside, open_gateway
from gateway.config import Config, Paths, token_ttl
from gateway.metering.segments import JournalLocked
from gateway.routes.checking import add_check_command, run_check_command
from gateway.routes.current import CurrentRoutes, read_table
from gateway.routes.file import RouteFileInvalid
from gateway.routes.table import RouteTable
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
    table = _read_table(Paths.from_env(environment), environment)
    try:
        config = Config.from_env(environment)
    except ConfigInvalid as invalid:
        return _complain(invalid.faults, INVALID)
    if table is None:
        return INVALID
    configure_logging("gateway", config.log_level, config.log_form)
    try:
        listener = _listen(config.host, config.port)
    except OSError as error:
        return _complain([f"cannot listen on {config.host}:{config.port}: {error.strerror or error}"], FAILED)
    with listener:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                return runner.run(_run(config, environment, table, listener))
        except (JournalLocked, OSError, sqlite3.Error, MigrationFailed, KeyFileInvalid) as error:
            return _complain([f"cannot start: {error}"], FAILED)


async def _run(
    config: Config, environment: Mapping[str, str], table: RouteTable, listener: socket.socket
) -> int:
    clock = SystemClock()
    routes = CurrentRoutes(config.paths.routes, environment, table)
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
    async with open_gateway(config, routes, listener, Outside(clock, request_ids(clock), die)) as gateway:
        host, port = listener.getsockname()[:2]
        log.info(
            "listening",
            host=host,
            port=port,
            routes=len(table.routes),
            counters="redis" if config.redis else "local",
        )
        await stop.wait()
        await _drain(gateway)
    log.info("stopped")
    return exit_codes[-1]


async def _drain(gateway: Gateway) -> None:
    structlog.get_logger("gateway").info("draining", in_flight=gateway.relay.in_flight)
    await gateway.drain()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.setblocking(False)  # noqa: FBT003 - the standard library's name for it
    except BaseException:
        listener.close()
        raise
    return listener


def _read_table(paths: Paths, environment: Mapping[str, str]) -> RouteTable | None:
    try:
        return read_table(paths.routes, environment)
    except RouteFileInvalid as invalid:
        _complain([fault.text(str(paths.routes)) for fault in invalid.faults], INVALID)
    except (OSError, UnicodeDecodeError) as error:
        _complain([f"GATEWAY_ROUTES: {error}"], INVALID)
    return None


def _users(arguments: argparse.Namespace, paths: Paths, environment: Mapping[str, str]) -> int:
    table = _read_table(paths, environment) if arguments.action == "set-plan" else None
    if table is None and arguments.action == "set-plan":
        return INVALID
    return run_users_command(arguments, paths.data_dir, table.plans.by_id.keys() if table else ())


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
