"""`python -m worker`, `python -m worker join --hoster URL --token TOKEN`, and `python -m worker evacuate`."""

import argparse
import asyncio
import os
import signal
import sys

import aiohttp
import uvloop

from shared.clock import SystemClock
from shared.config import ConfigInvalid, Secret
from shared.log import configure_logging
from worker.config import Config, JoinBy
from worker.data_folder import DataFolderTaken, owned
from worker.enrolment import HosterUnreachable, IdentityUnreadable, JoinRefused, load_identity
from worker.errors import EngineUnavailable
from worker.evacuation import evacuate
from worker.firewall.nft import FirewallUnavailable, Nft, RulesetRefused
from worker.firewall.records import FirewallRecordsUnreadable
from worker.firewall.ruleset import removal, table_name
from worker.logs.system import SystemLogs
from worker.node import Place, enrol
from worker.platform import Installation
from worker.projects.environment import EnvironmentKeyUnreadable, load_key
from worker.runtime.docker_engine import DockerEngine
from worker.runtime.engine import EngineRefused
from worker.runtime.instance import InstanceUnreadable, load_instance
from worker.service import Startup, serve
from worker.services.catalog import CatalogInvalid, load_catalog

UNUSABLE = 2
FAILED = 1


class _Unusable(Exception):
    """What keeps the worker from starting, for the operator."""


_UNREADABLE = (
    CatalogInvalid,
    DataFolderTaken,
    IdentityUnreadable,
    InstanceUnreadable,
    EnvironmentKeyUnreadable,
    FirewallRecordsUnreadable,
)


def main(arguments: list[str]) -> int:
    """The exit status: 2 when the worker cannot be started like this, one line on standard error for each reason."""
    options = _options(arguments)
    try:
        config = Config.from_env(os.environ)
        if options.command == "join":
            return uvloop.run(_join(config, options.hoster, options.token))
        if options.command == "evacuate":
            with owned(config.data_dir):
                return uvloop.run(_evacuate(config))
        with owned(config.data_dir):
            return uvloop.run(_serve(config))
    except ConfigInvalid as error:
        return _complain(*error.faults)
    except (*_UNREADABLE, _Unusable, OSError) as error:
        return _complain(str(error))


async def _serve(config: Config) -> int:
    clock = SystemClock()
    identity = await asyncio.to_thread(load_identity, config.data_dir)
    if config.secret is None and identity is None and config.join is None:
        raise _Unusable(
            "WORKER_SECRET is required (at least 32 bytes), or a joined identity, or HOSTER_URL with WORKER_JOIN_TOKEN"
        )
    system_logs = SystemLogs(clock)
    configure_logging("worker", config.log_level, config.log_format, system_logs)
    installation = Installation(
        instance=await asyncio.to_thread(load_instance, config.data_dir),
        environment_key=await asyncio.to_thread(load_key, config.data_dir),
        catalog=await asyncio.to_thread(load_catalog, config.catalog),
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    startup = Startup(
        config=config, installation=installation, identity=identity, system_logs=system_logs, clock=clock
    )
    await serve(startup, stop)
    return 0


async def _join(config: Config, hoster_url: str, token: str) -> int:
    if not hoster_url.startswith(("http://", "https://")):
        raise _Unusable("--hoster must begin with http:// or https://")
    if await asyncio.to_thread(load_identity, config.data_dir) is not None:
        raise _Unusable(
            f"this worker has joined already; remove {config.data_dir}/identity.json to join anew"
        )
    await asyncio.to_thread(config.data_dir.mkdir, parents=True, exist_ok=True)
    by = JoinBy(hoster_url.rstrip("/"), Secret(token.encode()))
    place = Place(config.data_dir, config.port, config.advertise_url)
    try:
        async with aiohttp.ClientSession() as session:
            identity = await enrol(session, place, by)
    except (JoinRefused, HosterUnreachable) as error:
        sys.stderr.write(f"worker: {error}\n")
        return FAILED
    sys.stdout.write(f"joined as {identity.node_id}\n")
    return 0


async def _evacuate(config: Config) -> int:
    instance = await asyncio.to_thread(load_instance, config.data_dir)
    engine = DockerEngine(config.docker_host)
    try:
        containers, networks = await evacuate(engine, instance)
    except (EngineUnavailable, EngineRefused, ExceptionGroup) as error:
        sys.stderr.write(f"worker: the engine was not left clean: {error}\n")
        return FAILED
    finally:
        await engine.close()
    await asyncio.to_thread(_lift_firewall, instance)
    sys.stdout.write(f"evacuated: {containers} containers and {networks} networks removed, data kept\n")
    return 0


def _lift_firewall(instance: str) -> None:
    """Failure policy: without nft there is nothing to lift."""
    nft, table = Nft(), table_name(instance)
    try:
        if nft.found() is not None and nft.has_table(table):
            nft.apply(removal(table))
    except (FirewallUnavailable, RulesetRefused) as error:
        sys.stderr.write(f"worker: the firewall was left as it is: {error}\n")


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m worker")
    commands = parser.add_subparsers(dest="command")
    joining = commands.add_parser("join", help="enrol this worker with Hoster")
    joining.add_argument("--hoster", required=True, metavar="URL")
    joining.add_argument("--token", required=True, help="the join token, or - to read it from standard input")
    commands.add_parser(
        "evacuate", help="while the worker is stopped: take its containers off the engine, keep its data"
    )
    options = parser.parse_args(arguments)
    if options.command == "join" and options.token == "-":  # noqa: S105 - the conventional name of standard input
        options.token = sys.stdin.readline().strip()
    return options


def _complain(*faults: str) -> int:
    for fault in faults:
        sys.stderr.write(f"worker: {fault}\n")
    return UNUSABLE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
