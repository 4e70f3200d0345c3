"""`python -m hoster`: reads the environment, serves, and drains on SIGTERM. `keys` and `nodes` are for its operator."""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import structlog
import uvloop
from aiohttp import web

from hoster.app import build_app
from hoster.config import Config
from hoster.jobs.model import Patience
from hoster.keys import cli as keys_cli
from hoster.keys.file import RotationUnderWay, open_vault
from hoster.nodes import cli as nodes_cli
from hoster.parts import Parts
from hoster.templates.catalog import read_catalog
from hoster.vault import Vault, VaultUnusable
from hoster.web.pages import read_pages
from shared.behind_relay import ADMITTED
from shared.clock import SystemClock
from shared.config import ConfigInvalid
from shared.database import Database, MigrationFailed
from shared.log import configure_logging

DRAIN_S = 30.0
MIGRATIONS = Path(__file__).with_name("migrations")
EXIT_CONFIGURATION = 2


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    try:
        config = Config.from_env(os.environ)
        if options.command is not None:
            return _administer(options, config)
        vault = open_vault(config.key_file, config.data_dir / "hoster.db")
    except ConfigInvalid as invalid:
        return _refuse(invalid.faults)
    except (VaultUnusable, RotationUnderWay, OSError) as unusable:
        return _refuse([f"HOSTER_DATA_DIR: {unusable}"])
    configure_logging("hoster", config.log_level, config.log_format)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            return runner.run(_serve(config, vault))
        except (MigrationFailed, OSError) as error:
            return _refuse([str(error)])


def _administer(options: argparse.Namespace, config: Config) -> int:
    """Raises VaultUnusable, RotationUnderWay or OSError."""
    if options.command == "keys":
        lines: Sequence[str] = [keys_cli.run(options.what, config.key_file)]
    else:
        try:
            order = nodes_cli.run(options, config.data_dir / "hoster.db", MIGRATIONS, SystemClock())
            lines = asyncio.run(order)
        except (nodes_cli.OrderRefused, MigrationFailed) as refused:
            return _refuse([str(refused)])
    for line in lines:
        print(line)  # noqa: T201 - the answer to a command
    return 0


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m hoster")
    commands = parser.add_subparsers(dest="command")
    keys = commands.add_parser("keys", help="the keys that seal secrets at rest")
    keys.add_argument("what", choices=[keys_cli.ROTATE, keys_cli.STATUS])
    nodes_cli.add_arguments(commands.add_parser("nodes", help="every node, whoever owns it"))
    return parser.parse_args(arguments)


def _refuse(faults: list[str]) -> int:
    for fault in faults:
        print(f"hoster: {fault}", file=sys.stderr)  # noqa: T201 - the operator reads this before there is a log
    return EXIT_CONFIGURATION


async def _serve(config: Config, vault: Vault) -> int:
    """0 after a signal, 1 when a background job died."""
    log = structlog.get_logger("service")
    stop = asyncio.Event()
    deaths: list[str] = []

    def died() -> None:
        deaths.append("background job")
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    catalog, pages = await asyncio.to_thread(lambda: (read_catalog(), read_pages()))
    database = await Database.open(config.data_dir / "hoster.db", MIGRATIONS)
    try:
        parts = Parts(
            config=config,
            clock=SystemClock(),
            database=database,
            vault=vault,
            catalog=catalog,
            pages=pages,
            patience=Patience(),
            on_death=died,
        )
        runner = web.AppRunner(
            build_app(parts), access_log=None, shutdown_timeout=DRAIN_S, auto_decompress=False, **ADMITTED
        )
        try:
            await runner.setup()
            await web.TCPSite(runner, config.host, config.port).start()
            if pages.index is None:
                log.warning("console_not_built", remedy="make console")
            log.info("listening", addresses=[f"{address[0]}:{address[1]}" for address in runner.addresses])
            await stop.wait()
            log.info("draining")
        finally:
            await runner.cleanup()
    finally:
        await database.close()
    log.info("stopped")
    return 1 if deaths else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
