"""`python -m tests.bench.abuse [CONNECTIONS [SECONDS]]`: hostile clients by the hundred while others want to be served.

The attacks are those of `slowhttptest` (slow heads, slow bodies, slow readers) and two of our own (floods of fields, connections
that say nothing). While each runs, an honest client asks again and again; the relay's memory is watched; and afterwards every
connection must be gone.
"""

import asyncio
import contextlib
import shutil
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.bench.relay_process import MIB, RelayProcess, raise_file_limit, relay_process
from tests.bench.table import table
from tests.servers.raw_origin import OriginConnection, raw_origin

MOST_GROWTH_EACH = 384 * 1024
"""Bytes of memory that one hostile connection may cost at most: 64 KiB waiting for it, and one read of the event loop (256 KiB)."""
MOST_WAITING = 1.0
_LARGE = bytes(MIB)
_HONEST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
_RECOVERY = 15.0


@dataclass(frozen=True, slots=True)
class Siege:
    """`waited`: the seconds that each honest request took; `lost`: how many got no 200. `grown`: bytes, at the worst moment."""

    waited: tuple[float, ...]
    lost: int
    grown: int
    recovered_after: float

    def is_borne(self, connections: int) -> bool:
        waited = statistics.median(self.waited)
        return (
            not self.lost and waited < MOST_WAITING and self.grown < 8 * MIB + connections * MOST_GROWTH_EACH
        )


Attack = Callable[[int, int, float], Awaitable[None]]
"""Port, connections, seconds."""


def _slowhttptest(*mode: str, path: str = "/") -> Attack:
    async def attack(port: int, connections: int, seconds: float) -> None:
        process = await asyncio.create_subprocess_exec(
            "slowhttptest",
            *("-c", str(connections), "-r", "200", "-l", str(int(seconds)), "-p", "3"),
            *(*mode, "-u", f"http://127.0.0.1:{port}{path}"),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            await asyncio.wait_for(process.wait(), seconds + 10)
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()

    return attack


async def _fields_without_end(port: int, connections: int, seconds: float) -> None:
    async def one() -> None:
        async with _connection(port) as (reader, writer):
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n")
            while not reader.at_eof():
                writer.write(b"X-Flood: 1\r\n" * 50)
                await writer.drain()
                await asyncio.sleep(0.05)

    await _for_a_while(one, connections, seconds)


async def _silence(port: int, connections: int, seconds: float) -> None:
    async def one() -> None:
        async with _connection(port) as (reader, _):
            await reader.read()

    await _for_a_while(one, connections, seconds)


@asynccontextmanager
async def _connection(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection that may be lost at any time."""
    with contextlib.suppress(ConnectionError):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            yield reader, writer
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


async def _for_a_while(one: Callable[[], Awaitable[None]], connections: int, seconds: float) -> None:
    """Keeps that many attackers busy; who is thrown out comes back."""

    async def again_and_again() -> None:
        while True:
            await one()

    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
            for _ in range(connections):
                group.create_task(again_and_again())


ATTACKS: dict[str, Attack] = {
    "slow heads": _slowhttptest("-H", "-i", "2"),
    "slow bodies": _slowhttptest("-B", "-i", "2", "-s", "8192", "-t", "POST"),
    "slow readers": _slowhttptest(
        "-X", "-w", "512", "-y", "1024", "-n", "5", "-z", "32", "-k", "3", path="/large"
    ),
    "floods of fields": _fields_without_end,
    "silence": _silence,
}


async def siege(attack: Attack, connections: int, seconds: float) -> Siege:
    async with _origin() as origin:
        with relay_process(origin) as relay:
            await _honest_request(relay.port)
            files, before = relay.open_files, relay.resident
            relay.forget_peak()
            attacking = asyncio.create_task(attack(relay.port, connections, seconds))
            waited: list[float] = []
            lost = 0
            while not attacking.done():
                took = await _honest_request(relay.port)
                waited.append(took or 0.0)
                lost += took is None
                await asyncio.sleep(0.05)
            await attacking
            grown = relay.peak - before
            return Siege(tuple(waited), lost, grown, await _recovery(relay, files))


async def _recovery(relay: RelayProcess, files: int) -> float:
    """Seconds until the relay holds no more files than before."""
    started = time.monotonic()
    async with asyncio.timeout(_RECOVERY):
        while relay.open_files > files:
            await asyncio.sleep(0.05)
    return time.monotonic() - started


async def _honest_request(port: int) -> float | None:
    """The seconds it took; None when it was not served."""
    started = time.monotonic()
    answer = b""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(5), _connection(port) as (reader, writer):
            writer.write(_HONEST)
            answer = await reader.read()
    return time.monotonic() - started if answer.startswith(b"HTTP/1.1 200 ") else None


@asynccontextmanager
async def _origin() -> AsyncIterator[int]:
    async def answer(connection: OriginConnection) -> None:
        while True:
            head = await connection.head()
            if b"\r\nContent-Length: " in head:
                await connection.reader.readexactly(
                    int(head.split(b"\r\nContent-Length: ")[1].split(b"\r\n")[0])
                )
            body = _LARGE if b" /large " in head else b"ok"
            await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
            await connection.send(body)

    async with raw_origin(answer) as origin:
        yield origin.port


async def _main(connections: int, seconds: float) -> bool:
    rows = [("", "served", "lost", "median wait", "longest", "memory growth", "gone after")]
    borne = True
    for name, attack in ATTACKS.items():
        one = await siege(attack, connections, seconds)
        borne &= one.is_borne(connections)
        rows.append(
            (
                name,
                str(len(one.waited) - one.lost),
                str(one.lost),
                f"{statistics.median(one.waited) * 1000:.1f} ms",
                f"{max(one.waited) * 1000:.1f} ms",
                f"{one.grown / MIB:.1f} MiB",
                f"{one.recovered_after:.1f} s",
            )
        )
    table(f"{connections} hostile connections for {seconds:.0f} s, one relay process", rows)
    return borne


if __name__ == "__main__":
    if shutil.which("slowhttptest") is None:
        sys.exit("slowhttptest is not here: install the package slowhttptest")
    raise_file_limit()
    arguments = [int(argument) for argument in sys.argv[1:]] + [500, 14][len(sys.argv) - 1 :]
    sys.exit(not asyncio.run(_main(arguments[0], arguments[1])))
