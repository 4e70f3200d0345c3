"""The route table in force, and how another one takes its place: SIGHUP, or a changed file."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

import structlog

from gateway.routes.compiling import load_table
from gateway.routes.file import RouteFileInvalid
from gateway.routes.route import Upstream
from gateway.routes.table import RouteTable
from gateway.rules.entitlements import Plans

_POLL_S = 1.0
_Stamp = tuple[int, int, int]


class CurrentRoutes:
    """Failure policy: a file that is invalid or cannot be read leaves the table as it is, and every fault is logged."""

    def __init__(self, path: Path, environment: Mapping[str, str], table: RouteTable) -> None:
        self._path = path
        self._environment = environment
        self._table = table
        self._stamp: _Stamp | None = None
        self._asked = asyncio.Event()
        self._log = structlog.get_logger("routes")

    def table(self) -> RouteTable:
        return self._table

    def plans(self) -> Plans:
        return self._table.plans

    def upstreams(self) -> Mapping[str, Upstream]:
        return self._table.upstreams

    def upstream(self, name: str) -> Upstream | None:
        return self._table.upstreams.get(name)

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
                await self.reload()

    async def reload(self) -> None:
        try:
            self._table = await asyncio.to_thread(read_table, self._path, self._environment)
        except RouteFileInvalid as invalid:
            for fault in invalid.faults:
                self._log.error("route_file_invalid", fault=fault.text(str(self._path)))
            return
        except OSError as error:
            self._log.error("route_file_unreadable", path=str(self._path), error=str(error))
            return
        self._log.info("routes_reloaded", routes=len(self._table.routes))

    async def _asked_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._asked.wait()
        except TimeoutError:
            return False
        self._asked.clear()
        return True


def read_table(path: Path, environment: Mapping[str, str]) -> RouteTable:
    """Blocking. Raises RouteFileInvalid, OSError."""
    return load_table(path.read_text(encoding="utf-8"), environment)


def _stamp(path: Path) -> _Stamp | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - one call for all three
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino)
