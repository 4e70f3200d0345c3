"""The route table in force, and how another one takes its place: SIGHUP, a changed file, or an administrator's word."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from gateway.routes.compiling import load_table
from gateway.routes.file import RouteFileInvalid
from gateway.routes.route import Route, Upstream
from gateway.routes.table import RouteTable
from gateway.rules.entitlements import Plans

_POLL_S = 1.0
_Stamp = tuple[int, int, int]


class RoutesNotTaken(Exception):
    """`faults` are sentences, each with its line where it has one."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class LoadedRoutes:
    """A table, and the text that it was made from, which makes the same table in every process."""

    text: str
    table: RouteTable


class CurrentRoutes:
    """Failure policy: a file that is invalid or cannot be read leaves the table as it is, and every fault is logged."""

    def __init__(self, path: Path, environment: Mapping[str, str], loaded: LoadedRoutes) -> None:
        self._path = path
        self._environment = environment
        self._loaded = loaded
        self._stamp: _Stamp | None = None
        self._asked = asyncio.Event()
        self._turn = asyncio.Lock()
        self._log = structlog.get_logger("routes")
        self.pass_on: Callable[[str], Awaitable[None]] = _to_nobody
        """Gives the text of new routes to the relay processes; returns when they have taken it."""

    @property
    def text(self) -> str:
        return self._loaded.text

    def table(self) -> RouteTable:
        return self._loaded.table

    def plans(self) -> Plans:
        return self._loaded.table.plans

    def upstreams(self) -> Mapping[str, Upstream]:
        return self._loaded.table.upstreams

    def upstream(self, name: str) -> Upstream | None:
        return self._loaded.table.upstreams.get(name)

    def route(self, name: str) -> Route | None:
        return next((route for route in self._loaded.table.routes if route.name == name), None)

    def ask_reload(self) -> None:
        """For a signal handler."""
        self._asked.set()

    async def watch(self) -> None:
        """Reloads when asked, or when the file has changed. Runs until cancelled."""
        self._stamp = await asyncio.to_thread(_stamp, self._path)
        while True:
            asked = await self._asked_within(_POLL_S)
            stamp = await asyncio.to_thread(_stamp, self._path)
            if asked or (stamp is not None and stamp != self._stamp):
                self._stamp = stamp
                try:
                    await self.reload()
                except RoutesNotTaken as refused:
                    for fault in refused.faults:
                        self._log.error("route_file_invalid", fault=fault)

    async def reload(self) -> None:
        """Raises RoutesNotTaken; the table is then as it was."""
        async with self._turn:
            try:
                loaded = await asyncio.to_thread(read_routes, self._path, self._environment)
            except RouteFileInvalid as invalid:
                raise RoutesNotTaken([fault.text(str(self._path)) for fault in invalid.faults]) from invalid
            except (OSError, UnicodeDecodeError) as error:
                raise RoutesNotTaken([f"{self._path}: {error}"]) from error
            self._loaded = loaded
            await self.pass_on(loaded.text)
            self._log.info("routes_reloaded", routes=len(loaded.table.routes))

    async def _asked_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._asked.wait()
        except TimeoutError:
            return False
        self._asked.clear()
        return True


def read_routes(path: Path, environment: Mapping[str, str]) -> LoadedRoutes:
    """Blocking. Raises RouteFileInvalid, OSError, UnicodeDecodeError."""
    text = path.read_text(encoding="utf-8")
    return LoadedRoutes(text, load_table(text, environment))


def read_table(path: Path, environment: Mapping[str, str]) -> RouteTable:
    """Blocking. Raises RouteFileInvalid, OSError, UnicodeDecodeError."""
    return read_routes(path, environment).table


async def _to_nobody(_text: str) -> None:
    """There is one process."""


def _stamp(path: Path) -> _Stamp | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - one call for all three
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino)
