"""`python -m tests.bench.drops`: requests lost while routes are reloaded, a relay process is replaced, the gateway is stopped.

Fifty clients, each with a kept connection, send POST requests (which nobody repeats for them) one after the other. Lost is every
request that was sent on an open connection and got no answer, or one of the gateway's own 5xx. A refused connection is not lost: it is
how a gateway that has stopped says so.
"""

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import Awaitable, Callable

import aiohttp

from tests.bench.running_gateway import RunningGateway, running_gateway

WORKERS = 4
CLIENTS = 50
_TURN_S = 0.5
Disturb = Callable[[RunningGateway, aiohttp.ClientSession], Awaitable[None]]


async def reload_routes(gateway: RunningGateway, _client: aiohttp.ClientSession) -> None:
    text = gateway.routes.read_text()
    for turn in range(10):
        gateway.routes.write_text(f"{text}\n# {turn}\n")
        gateway.process.send_signal(signal.SIGHUP)
        await asyncio.sleep(_TURN_S)


async def replace_relays(gateway: RunningGateway, client: aiohttp.ClientSession) -> None:
    for _ in range(3):
        relays = await gateway.serving(client)
        os.kill(relays[0]["pid"], signal.SIGTERM)
        while relays[0]["pid"] in {relay["pid"] for relay in await gateway.serving(client)}:
            await asyncio.sleep(0.02)
        await asyncio.sleep(2 * _TURN_S)


async def stop(gateway: RunningGateway, _client: aiohttp.ClientSession) -> None:
    await asyncio.sleep(2 * _TURN_S)
    gateway.process.send_signal(signal.SIGTERM)
    await asyncio.to_thread(gateway.process.wait, 35)


DISTURBANCES: dict[str, Disturb] = {
    "10 reloads": reload_routes,
    "3 relay processes replaced": replace_relays,
    "SIGTERM": stop,
}


async def measure() -> dict[str, Counter[str]]:
    found = {}
    async with running_gateway(WORKERS) as gateway, aiohttp.ClientSession() as client:
        headers = await gateway.sign_up(client, "ada@example.org")
        for name, disturb in DISTURBANCES.items():
            found[name] = await _disturbed(gateway, client, headers, disturb)
    async with running_gateway(1) as gateway, aiohttp.ClientSession() as client:
        headers = await gateway.sign_up(client, "ada@example.org")
        found["SIGTERM, one process"] = await _disturbed(gateway, client, headers, stop)
    return found


async def _disturbed(
    gateway: RunningGateway, client: aiohttp.ClientSession, headers: dict[str, str], disturb: Disturb
) -> Counter[str]:
    answers: Counter[str] = Counter()
    done = asyncio.Event()
    async with asyncio.timeout(40), asyncio.TaskGroup() as group:
        for _ in range(CLIENTS):
            group.create_task(_call(gateway, headers, answers, done))
        await disturb(gateway, client)
        done.set()
    return answers


async def _call(
    gateway: RunningGateway, headers: dict[str, str], answers: Counter[str], done: asyncio.Event
) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as client:
        while not done.is_set():
            try:
                async with client.post(f"{gateway.url}/api/x", headers=headers, data=b"x") as response:
                    await response.read()
                    answers["answered" if response.status == 200 else "lost"] += 1
            except aiohttp.ClientConnectorError:
                answers["refused"] += 1
                return
            except aiohttp.ClientError:
                answers["lost"] += 1


def main() -> int:
    found = asyncio.run(measure())
    columns = ("answered", "refused", "lost")
    print(f"{CLIENTS} clients, {WORKERS} relay processes")  # noqa: T201 - it is what the command is for
    print(f"{'':28}" + "".join(f"{column:>10}" for column in columns))  # noqa: T201 - as above
    for name, answers in found.items():
        print(f"{name:28}" + "".join(f"{answers[column]:>10}" for column in columns))  # noqa: T201 - as above
    return 1 if any(answers["lost"] for answers in found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
