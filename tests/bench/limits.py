"""`python -m tests.bench.limits`: quota and rate, exact under concurrency, and what they cost in Redis.

Quota: 5,000 requests at once, over 5,000 connections of 16 clients, into four relay processes, with a quota of 1,000.
Rate: one user hammers for two seconds with 6,000 a minute and a burst of 20; no more than 100 * T + 20 may pass in T seconds.
Calls: how many scripts Redis ran for each admitted request, and for refusals that are known already.
"""

import asyncio
import sys
import time
from collections import Counter
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass

import aiohttp

from tests.bench.keep_alive import KeepAlive, connected
from tests.bench.relay_process import raise_file_limit
from tests.bench.running_gateway import Limits, RunningGateway, running_gateway
from tests.bench.table import table

WORKERS = 4
CLIENTS = 16
_NOT_JUDGED = 503
_TRIES = 5


class RedisWasLate(Exception):
    """A request was not judged in time, so that what was counted is not what was asked for."""


@dataclass(frozen=True, slots=True)
class Quota:
    """`answers` by status; who was not judged in time asks again, so that they are more than requests. `counter` and `ledger`: what Redis
    and the ledger say was used.
    """

    answers: dict[int, int]
    counter: int
    ledger: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Rate:
    """`most` is what may pass in the time that it took."""

    answers: dict[int, int]
    seconds: float
    most: float


@dataclass(frozen=True, slots=True)
class Calls:
    """Scripts that Redis ran, for so many requests of each kind."""

    admitted: int
    for_admitted: int
    refused: int
    for_refused: int


async def quota(requests: int, allowed: int, workers: int = WORKERS) -> Quota:
    async with running_gateway(workers, Limits(quota=allowed)) as gateway:
        headers = await signed_in(gateway)
        async with connected(gateway.port, requests) as connections:
            clients = [connections[client::CLIENTS] for client in range(CLIENTS)]
            began = time.perf_counter()
            judged = await asyncio.gather(
                *(_until_judged(connection, headers) for client in clients for connection in client)
            )
            seconds = time.perf_counter() - began
        statuses = [status for answers in judged for status in answers]
        counter = await asyncio.to_thread(gateway.redis.quota_used)
        return Quota(dict(Counter(statuses)), counter, await in_ledger(gateway, headers), seconds)


async def rate(seconds: float, per_minute: int, burst: int, workers: int = WORKERS) -> Rate:
    async with running_gateway(workers, Limits(rate=per_minute, burst=burst)) as gateway:
        headers = await signed_in(gateway)
        answers: Counter[int] = Counter()

        async def hammer(connection: KeepAlive, until: float) -> None:
            while time.perf_counter() < until:
                answers[await _bill(connection, headers)] += 1

        async with connected(gateway.port, CLIENTS) as connections:
            began = time.perf_counter()
            await asyncio.gather(*(hammer(connection, began + seconds) for connection in connections))
            took = time.perf_counter() - began
        return Rate(dict(answers), took, per_minute / 60 * took + burst)


async def calls(admitted: int, refused: int) -> Calls:
    """As `_calls`, again when Redis was late meanwhile: what it took then is given back, which is a call more."""
    for _ in range(_TRIES):
        with suppress(RedisWasLate):
            return await _calls(admitted, refused)
    raise RedisWasLate


async def _calls(admitted: int, refused: int) -> Calls:
    """One process and one connection, so that nothing runs beside; the refusals are of the rate, known until the next place.

    Raises RedisWasLate.
    """
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(running_gateway(1, Limits(rate=1, burst=admitted + 1)))
        headers = await signed_in(gateway)
        (connection,) = await stack.enter_async_context(connected(gateway.port, 1))
        statuses = [await _bill(connection, headers)]  # the first one finds no counter, which is another call
        before = await asyncio.to_thread(gateway.redis.scripts_run)
        statuses += [await _bill(connection, headers) for _ in range(admitted)]
        between = await asyncio.to_thread(gateway.redis.scripts_run)
        statuses += [await _bill(connection, headers)]  # from here on it is known
        known = await asyncio.to_thread(gateway.redis.scripts_run)
        refusals = [await _bill(connection, headers) for _ in range(refused)]
        after = await asyncio.to_thread(gateway.redis.scripts_run)
    if _NOT_JUDGED in statuses + refusals:
        raise RedisWasLate
    if Counter(statuses + refusals) != {200: admitted + 1, 429: refused + 1}:
        raise RuntimeError(f"not what was to be measured: {Counter(statuses + refusals)}")
    return Calls(admitted, between - before, refused, after - known)


async def signed_in(gateway: RunningGateway) -> dict[str, str]:
    """The headers of the one user there is."""
    async with aiohttp.ClientSession() as client:
        return await gateway.sign_up(client, "ada@example.org")


async def _bill(connection: KeepAlive, headers: dict[str, str]) -> int:
    return await connection.status("POST", "/bill", headers)


async def _until_judged(connection: KeepAlive, headers: dict[str, str]) -> list[int]:
    """The status of every answer. Refused because Redis was late is not judged, and to be asked again after a second."""
    statuses = [await _bill(connection, headers)]
    while statuses[-1] == _NOT_JUDGED:
        await asyncio.sleep(1.0)
        statuses.append(await _bill(connection, headers))
    return statuses


async def in_ledger(gateway: RunningGateway, headers: dict[str, str]) -> int:
    async with (
        aiohttp.ClientSession(headers=headers) as client,
        client.get(f"{gateway.url}/mod/usage") as response,
    ):
        return sum(total["count"] for total in (await response.json())["totals"])


def main() -> int:
    raise_file_limit()
    found = asyncio.run(quota(5_000, 1_000))
    table(
        "5,000 requests at once, 16 clients, 4 relay processes, quota 1,000",
        [
            ("admitted", f"{found.answers.get(200, 0)}"),
            ("refused (402)", f"{found.answers.get(402, 0)}"),
            ("not judged in time (503)", f"{found.answers.get(503, 0)}"),
            ("counter in Redis", f"{found.counter}"),
            ("events in the ledger", f"{found.ledger}"),
            ("all answered after", f"{found.seconds:.1f} s"),
        ],
    )
    hammered = asyncio.run(rate(2.0, 6_000, 20))
    table(
        "100 a second, burst 20, hammered by 16 clients",
        [
            ("requests", f"{sum(hammered.answers.values())}"),
            ("admitted", f"{hammered.answers.get(200, 0)}"),
            ("allowed", f"{hammered.most:.1f} (100 * {hammered.seconds:.2f} s + 20)"),
        ],
    )
    counted = asyncio.run(calls(200, 500))
    table(
        "Scripts run by Redis (INFO commandstats)",
        [
            (f"for {counted.admitted} admitted requests", f"{counted.for_admitted}"),
            (f"for {counted.refused} known refusals", f"{counted.for_refused}"),
        ],
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
