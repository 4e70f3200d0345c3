"""Visitors who never pause: each kind asks in its own way, and every answer is looked at."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.bench.nginx_app import SLOW_BYTES

HOST = "site.zexio.app"
BODY = b"x" * 50_000

_KEPT = 6
_NEW = 2
_POSTING = 2
_SLOW = 4


@dataclass(slots=True)
class Load:
    """`first_seen` is when (Unix time) each version was first answered."""

    port: int
    answered: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    first_seen: dict[str, float] = field(default_factory=dict)
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def total(self) -> int:
        return sum(self.answered.values())

    async def run(self) -> None:
        """Until `stop`, then until every request has its answer."""
        async with asyncio.TaskGroup() as visitors:
            for kind, path, count in (("kept", "/", _KEPT), ("slow", "/slow", _SLOW)):
                for _ in range(count):
                    visitors.create_task(self._keep_asking(kind, _get(path, "keep-alive")))
            for _ in range(_POSTING):
                visitors.create_task(self._keep_asking("posted", _post()))
            for _ in range(_NEW):
                visitors.create_task(self._ask_anew())

    async def _keep_asking(self, kind: str, request: bytes) -> None:
        while not self.stop.is_set():
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            try:
                while not self.stop.is_set():
                    await self._ask(kind, request, reader, writer)
            except (OSError, EOFError) as error:
                self.failed.append(f"{kind}: {type(error).__name__}")
            finally:
                writer.close()

    async def _ask_anew(self) -> None:
        request = _get("/", "close")
        while not self.stop.is_set():
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                await self._ask("new connection", request, reader, writer)
                writer.close()
            except (OSError, EOFError) as error:
                self.failed.append(f"new connection: {type(error).__name__}")

    async def _ask(
        self, kind: str, request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r")[0])
        body = await reader.readexactly(length)
        version = body.rstrip(b"\0").decode()
        whole = length == len(version) + (SLOW_BYTES if kind == "slow" else 0)
        if not head.startswith(b"HTTP/1.1 200 ") or not whole:
            self.failed.append(f"{kind}: {head.splitlines()[0]!r}")
            return
        self.answered[kind] += 1
        if version not in self.first_seen:
            self.first_seen[version] = time.time()  # noqa: TID251 - compared with what the worker records


def _get(path: str, connection: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: {connection}\r\n\r\n".encode()


def _post() -> bytes:
    return f"POST /post HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {len(BODY)}\r\n\r\n".encode() + BODY
