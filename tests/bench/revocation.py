"""`python -m tests.bench.revocation`: how long a token is still accepted somewhere after its logout was answered, and its streams go on.

A hundred times: sign in, use the token on many connections so that every relay process has it cached, log out on one of them, and ask on
all of them until each has refused. The time from the answer to the logout to the last request that was still accepted is an upper
bound of the time for which the token outlived it.

Ten times: open a stream on each of the connections, let them go on for a while, log out, and see when each is broken off.
"""

import asyncio
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from statistics import median

import aiohttp

from tests.bench.running_gateway import RunningGateway, running_gateway

WORKERS = 4
TRIES = 100
STREAM_TRIES = 10
LASTING_S = 1.5
CONNECTIONS = 16
MOST_TURNS = 6
_ACCEPTED = 200


@dataclass(frozen=True, slots=True)
class Found:
    """`late_ms` of each try: 0 when no connection accepted the token any more. `processes` had it cached. `cut_ms`: each stream's."""

    late_ms: list[float]
    cut_ms: list[float]
    processes: int


async def measure() -> Found:
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(running_gateway(WORKERS))
        clients = await _clients_of_all_processes(stack, gateway)
        await gateway.sign_up(clients[0], "ada@example.org")
        late = [await _late_ms(gateway, clients) for _ in range(TRIES)]
        relays = await gateway.serving(clients[0])
        cut = [each for _ in range(STREAM_TRIES) for each in await _cut_ms(gateway, clients)]
        return Found(late, cut, sum(relay["connections"] > 0 for relay in relays))


async def _clients_of_all_processes(
    stack: AsyncExitStack, gateway: RunningGateway
) -> list[aiohttp.ClientSession]:
    """Each with a connection of its own, more of them until every process has one."""
    clients: list[aiohttp.ClientSession] = []
    for _ in range(MOST_TURNS):
        more = [
            await stack.enter_async_context(
                aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1, keepalive_timeout=60))
            )
            for _ in range(CONNECTIONS)
        ]
        clients += more
        await asyncio.gather(*(_touch(gateway, client) for client in more))
        if all(relay["connections"] for relay in await gateway.serving(clients[0])):
            break
    return clients


async def _touch(gateway: RunningGateway, client: aiohttp.ClientSession) -> None:
    async with client.get(f"{gateway.url}/health") as response:
        await response.read()


async def _late_ms(gateway: RunningGateway, clients: list[aiohttp.ClientSession]) -> float:
    headers = await gateway.sign_in(clients[0], "ada@example.org")
    answers = await asyncio.gather(*(_answer(gateway, client, headers) for client in clients))
    if refused := [answer for answer in answers if answer[0] != _ACCEPTED]:
        raise RuntimeError(f"a fresh token was refused: {refused[0]}")
    async with clients[0].post(f"{gateway.url}/mod/auth/logout", headers=headers) as response:
        response.raise_for_status()
    ended = time.perf_counter()
    times = await asyncio.gather(*(_last_accepted(gateway, client, headers, ended) for client in clients))
    return max(times) * 1000


async def _last_accepted(
    gateway: RunningGateway, client: aiohttp.ClientSession, headers: dict[str, str], ended: float
) -> float:
    """Seconds after `ended` at which the last request that was accepted had been answered."""
    last = 0.0
    while (await _answer(gateway, client, headers))[0] == _ACCEPTED:
        last = time.perf_counter() - ended
        if last > 5:
            raise TimeoutError("the token is still accepted after 5 s")
    return last


async def _cut_ms(gateway: RunningGateway, clients: list[aiohttp.ClientSession]) -> list[float]:
    headers = await gateway.sign_in(clients[0], "ada@example.org")
    _, *others = clients
    streams = [asyncio.create_task(_end_of_stream(gateway, client, headers)) for client in others]
    await asyncio.sleep(LASTING_S)
    async with clients[0].post(f"{gateway.url}/mod/auth/logout", headers=headers) as response:
        response.raise_for_status()
    ended = time.perf_counter()
    async with asyncio.timeout(5):
        return [(await stream - ended) * 1000 for stream in streams]


async def _end_of_stream(
    gateway: RunningGateway, client: aiohttp.ClientSession, headers: dict[str, str]
) -> float:
    async with client.get(f"{gateway.url}/api/stream", headers=headers) as response:
        response.raise_for_status()
        try:
            await response.read()
        except aiohttp.ClientPayloadError:
            return time.perf_counter()
    raise RuntimeError("the stream was told to its end")


async def _answer(
    gateway: RunningGateway, client: aiohttp.ClientSession, headers: dict[str, str]
) -> tuple[int, str]:
    """Status and body."""
    async with client.get(f"{gateway.url}/api/x", headers=headers) as response:
        return response.status, await response.text()


def main() -> int:
    found = asyncio.run(measure())
    rows = {
        "tries": f"{len(found.late_ms)}",
        "relay processes with connections": f"{found.processes} of {WORKERS}",
        "accepted after the logout's answer": f"{sum(late > 0 for late in found.late_ms)} tries",
        "median": f"{median(found.late_ms):.1f} ms",
        "slowest": f"{max(found.late_ms):.1f} ms",
        "streams broken off": f"{len(found.cut_ms)}",
        "median after the logout's answer": f"{median(found.cut_ms):.0f} ms",
        "slowest of them": f"{max(found.cut_ms):.0f} ms",
    }
    print("\n".join(f"{name:36}{value:>12}" for name, value in rows.items()))  # noqa: T201 - it is what the command is for
    return 0


if __name__ == "__main__":
    sys.exit(main())
