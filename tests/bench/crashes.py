"""`python -m tests.bench.crashes`: kill -9 at random moments under load, and then everything that was done is in the books, once.

A gateway of one control and four relay processes, Redis and an upstream are killed hundreds of times, while customers order, hang up and
repeat themselves. Redis comes back with its memory lost, or with a snapshot from before. The first half of the kills is with Hoster as
the upstream, which can cancel a request, the other with a shop that can only be asked. When all is up again and settled, the operations
that the upstream performed are compared with the ledger id by id, and the counters with both.

`--seed` repeats the choices of a run; the moments at which they fall are the machine's.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp

from tests.bench.crash_audit import Audit, audit
from tests.bench.crash_load import Customer, Seen
from tests.bench.crashing_platform import WORKERS, Platform, crashing_platform
from tests.bench.table import line, table

KILLS = 300
UPSTREAMS = ("hoster", "shop")
_USERS = 3
_CUSTOMERS = 9
_UP_WITHIN_S = 40.0
_SETTLED_WITHIN_S = 60.0
_LONGEST_WAIT_S = 3.0
_OWN_QUESTION = 1
_LATE = (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT)

RELAY, CONTROL, UPSTREAM = "relay process", "control process", "upstream"
EMPTIED, OLDER = "Redis, memory lost", "Redis, older snapshot"
_WEIGHTS = {RELAY: 50, CONTROL: 16, UPSTREAM: 14, EMPTIED: 10, OLDER: 10}


@dataclass(frozen=True, slots=True)
class Run:
    upstream: str
    kills: Counter[str]
    seen: Seen
    audit: Audit
    settled_s: float
    took_s: float


async def crash(upstream: str, kills: int, seed: int, folder: Path) -> Run:
    """`folder` is empty, and gets databases and logs. Raises TimeoutError when the platform does not come up, or does not settle."""
    chance = random.Random(f"{seed}-{upstream}")  # noqa: S311 - a seed is to be repeated
    began = time.monotonic()
    async with crashing_platform(folder, upstream, chance) as platform:
        await settled(platform, _UP_WITHIN_S)
        seen = Seen()
        tokens = [await sign_up(platform.url, number) for number in range(_USERS)]
        customers = [
            Customer(platform.url, tokens[number % _USERS], platform.books.body, chance, seen)
            for number in range(_CUSTOMERS)
        ]
        async with asyncio.TaskGroup() as group:
            for customer in customers:
                group.create_task(customer.order_until_told())
            killed = await _kill(platform, kills, chance, seen)
            seen.stop.set()
        ended = time.monotonic()
        await settled(platform, _SETTLED_WITHIN_S)
        settled_s = time.monotonic() - ended
        # A counter that the last kill took away is there again as soon as somebody orders.
        for token in tokens:
            await _order_once(platform, token, seen)
            await ship(platform, token)
        await settled(platform, _SETTLED_WITHIN_S)
        found = await asyncio.to_thread(audit, platform, seen.performed)
    return Run(upstream, killed, seen, found, settled_s, time.monotonic() - began)


async def _kill(platform: Platform, kills: int, chance: random.Random, seen: Seen) -> Counter[str]:
    killed: Counter[str] = Counter()
    ways: dict[str, Callable[[], bool]] = {
        RELAY: lambda: platform.kill_relay(chance),
        CONTROL: platform.gateway.kill,
        UPSTREAM: platform.upstream.kill,
        EMPTIED: lambda: platform.kill_redis(emptied=True),
        OLDER: lambda: platform.kill_redis(emptied=False),
    }
    while killed.total() < kills:
        # Mostly when something was served since the last kill, sometimes in the middle of a recovery.
        if chance.random() < 0.8:
            performed = len(seen.performed)
            with suppress(TimeoutError):
                await _until(partial(_more_than, seen, performed), _LONGEST_WAIT_S)
        await asyncio.sleep(chance.uniform(0, 0.4))
        kind = chance.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
        killed[kind] += ways[kind]()
    return killed


async def _more_than(seen: Seen, performed: int) -> bool:
    return len(seen.performed) > performed


async def sign_up(url: str, number: int) -> str:
    credentials = {"email": f"user{number}@example.org", "password": "correct horse battery"}
    async with (
        aiohttp.ClientSession() as client,
        client.post(f"{url}/mod/auth/register", json=credentials) as response,
    ):
        response.raise_for_status()
        return str((await response.json())["token"])


async def _order_once(platform: Platform, token: str, seen: Seen) -> None:
    """Asked again where Redis or the upstream was late, as on a busy machine they may be."""
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession() as client:
        while True:
            async with client.post(
                f"{platform.url}/api/v1/deployments", json=platform.books.body, headers=headers
            ) as response:
                await response.read()
                seen.answers[str(response.status)] += 1
                if response.status not in _LATE:
                    response.raise_for_status()
                    seen.performed.append(response.headers["X-Request-ID"])
                    return
            await asyncio.sleep(1.0)


async def ship(platform: Platform, token: str) -> None:
    """Whoever reads his usage finds all that was answered in it."""
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        aiohttp.ClientSession() as client,
        client.get(f"{platform.url}/mod/usage", headers=headers) as response,
    ):
        response.raise_for_status()


async def settled(platform: Platform, within_s: float) -> None:
    """Raises TimeoutError."""
    await _until(lambda: _is_settled(platform), within_s)


async def _is_settled(platform: Platform) -> bool:
    """All processes serve, nothing is in flight, nothing waits in a journal, and no dead process's journal is left."""
    stats = await _stats(platform.url)
    if stats is None:
        return False
    relays = stats["processes"]["relays"]
    serving = sorted(relay["state"] for relay in relays) == ["serving"] * WORKERS + ["standby"]
    waiting = (stats["journal"]["pending"], stats["journal"]["unsettled"], stats["counters"]["unsettled"])
    folders = await asyncio.to_thread(lambda: list((platform.folder / "gateway/journal").glob("relay-*")))
    is_up = stats["counters"]["state"] == "redis" and await _answers(platform)
    is_quiet = stats["in_flight"] == _OWN_QUESTION
    return is_up and is_quiet and serving and not any(waiting) and len(folders) == WORKERS + 1


async def _stats(url: str) -> dict[str, Any] | None:
    with suppress(aiohttp.ClientError, TimeoutError):
        async with (
            asyncio.timeout(5),
            aiohttp.ClientSession() as client,
            client.get(f"{url}/stats") as response,
        ):
            return dict(await response.json()) if response.status == 200 else None
    return None


async def _answers(platform: Platform) -> bool:
    with suppress(aiohttp.ClientError, TimeoutError):
        url = f"http://127.0.0.1:{platform.upstream_port}/health"
        async with asyncio.timeout(5), aiohttp.ClientSession() as client, client.get(url) as response:
            return response.status == 200
    return False


async def _until(holds: Callable[[], Awaitable[bool]], within_s: float) -> None:
    async with asyncio.timeout(within_s):
        while not await holds():
            await asyncio.sleep(0.05)


def _report(run: Run) -> None:
    found = run.audit
    rows = [(f"killed: {kind}", str(run.kills[kind])) for kind in _WEIGHTS]
    rows += [
        ("requests", str(run.seen.requests)),
        *((f"  {answer}", str(count)) for answer, count in sorted(run.seen.answers.items())),
        ("operations that the upstream performed", str(found.operations)),
        ("events in the ledger, free ones included", str(found.events)),
        ("operations without an event at cost", str(len(found.without_event))),
        ("events at cost without an operation", str(len(found.without_operation))),
        ("ids twice", str(len(found.twice))),
        ("answered as performed, and not performed", str(len(found.answered_and_lost))),
        ("reservations left", str(len(found.reserved))),
        ("counter, ledger", ", ".join(f"{a} {b}" for a, b in found.counters.values())),
        ("MISMATCHES", str(found.mismatches)),
        ("settled after the last kill", f"{run.settled_s:.1f} s"),
        ("took", f"{run.took_s:.0f} s"),
    ]
    table(f"upstream: {run.upstream}", rows)
    for one in (*found.without_event, *found.without_operation, *found.reserved)[:20]:
        line(f"  {one}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.crashes")
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--upstream", choices=UPSTREAMS, help="one of them, instead of both in turn")
    parser.add_argument("--folder", type=Path, help="keep databases and logs here")
    arguments = parser.parse_args()
    upstreams = [arguments.upstream] if arguments.upstream else list(UPSTREAMS)
    line(f"seed {arguments.seed}")
    mismatches = 0
    for upstream in upstreams:
        with tempfile.TemporaryDirectory(prefix="crashes-") as temporary:
            folder = (arguments.folder or Path(temporary)) / upstream
            folder.mkdir(parents=True)
            run = asyncio.run(crash(upstream, arguments.kills // len(upstreams), arguments.seed, folder))
        _report(run)
        mismatches += run.audit.mismatches
    return 1 if mismatches else 0


if __name__ == "__main__":
    sys.exit(main())
