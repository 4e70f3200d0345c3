"""`python -m tests.bench.redis_outage`: Redis paused for five seconds, killed and emptied, under load.

Requests of the authenticated and of the billing lane go on all the time, at a steady pace over keep-alive connections. Shown is what
each lane answered and how long that took, before, during and after the pause, and how long after its end the billing lane was served
again; then the same for a Redis that is killed and started anew, empty; then FLUSHALL. At the end the counter, the ledger and what the
clients were answered are compared.
"""

import asyncio
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.bench.keep_alive import KeepAlive, connected
from tests.bench.limits import in_ledger, signed_in
from tests.bench.running_gateway import RunningGateway, running_gateway
from tests.bench.table import line, table

WORKERS = 2
AUTHENTICATED, BILLING = "authenticated", "billing"
_CONNECTIONS = {AUTHENTICATED: 8, BILLING: 4}
_REQUEST = {AUTHENTICATED: ("GET", "/api/x"), BILLING: ("POST", "/bill")}
_PACE_S = 0.02
_RECOVERS_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Seen:
    """One answer. Seconds of the monotonic clock; latency in milliseconds."""

    at: float
    status: int
    latency_ms: float


@dataclass(slots=True)
class Load:
    """What was answered in each lane, in order."""

    seen: dict[str, list[Seen]] = field(default_factory=lambda: {AUTHENTICATED: [], BILLING: []})
    stopping: bool = False

    async def run(self, lane: str, connection: KeepAlive, headers: dict[str, str]) -> None:
        method, path = _REQUEST[lane]
        while not self.stopping:
            began = time.perf_counter()
            status = await connection.status(method, path, headers)
            ended = time.perf_counter()
            self.seen[lane].append(Seen(ended, status, (ended - began) * 1000))
            await asyncio.sleep(max(0.0, _PACE_S - (ended - began)))

    def between(self, lane: str, began: float, ended: float) -> list[Seen]:
        return [one for one in self.seen[lane] if began <= one.at - one.latency_ms / 1000 and one.at < ended]

    async def served_again(self, since: float) -> float:
        """Seconds from `since` to the first admitted request after the last refusal that follows it."""
        deadline = time.perf_counter() + _RECOVERS_WITHIN_S
        while time.perf_counter() < deadline:
            await asyncio.sleep(0.05)
            later = [one for one in self.seen[BILLING] if one.at > since]
            refused = max((one.at for one in later if one.status != 200), default=since)
            served = [one.at for one in later if one.status == 200 and one.at > refused]
            if len(served) > 20:
                return served[0] - since
        raise TimeoutError("the billing lane did not recover")


@dataclass(frozen=True, slots=True)
class Spell:
    """What one lane saw in one stretch of time."""

    answers: dict[int, int]
    median_ms: float
    p99_ms: float
    slowest_ms: float


@dataclass(frozen=True, slots=True)
class Outage:
    """`spells` by lane: before, during. `admitted` is what clients were answered 200 in the billing lane."""

    spells: dict[str, tuple[Spell, Spell]]
    recovered_s: dict[str, float]
    admitted: int
    counter: int
    ledger: int


async def outage(before_s: float, paused_s: float, workers: int = WORKERS) -> Outage:
    async with running_gateway(workers) as gateway:
        headers = await signed_in(gateway)
        load = Load()
        async with (
            connected(gateway.port, sum(_CONNECTIONS.values())) as connections,
            asyncio.TaskGroup() as group,
        ):
            lanes = [lane for lane, count in _CONNECTIONS.items() for _ in range(count)]
            for lane, connection in zip(lanes, connections, strict=True):
                group.create_task(load.run(lane, connection, headers))
            await asyncio.sleep(1.0)  # warms up
            spells = await _pause(gateway, load, before_s, paused_s)
            recovered = {"paused": await load.served_again(time.perf_counter())}
            recovered["killed, back and empty"] = await _replace(gateway, load)
            await asyncio.to_thread(gateway.redis.empty)
            recovered["FLUSHALL"] = await load.served_again(time.perf_counter())
            load.stopping = True
        admitted = sum(one.status == 200 for one in load.seen[BILLING])
        ledger, counter = await _settled_books(gateway, headers, admitted)
        return Outage(spells, recovered, admitted, counter, ledger)


async def _pause(
    gateway: RunningGateway, load: Load, before_s: float, paused_s: float
) -> dict[str, tuple[Spell, Spell]]:
    began = time.perf_counter()
    await asyncio.sleep(before_s)
    paused = time.perf_counter()
    gateway.redis.signal(signal.SIGSTOP)
    await asyncio.sleep(paused_s)
    gateway.redis.signal(signal.SIGCONT)
    ended = time.perf_counter()
    return {
        lane: (_spell(load.between(lane, began, paused)), _spell(load.between(lane, paused, ended)))
        for lane in _REQUEST
    }


async def _replace(gateway: RunningGateway, load: Load) -> float:
    await asyncio.to_thread(gateway.redis.end)
    await asyncio.sleep(1.0)
    await asyncio.to_thread(gateway.redis.start)
    return await load.served_again(time.perf_counter())


async def _settled_books(gateway: RunningGateway, headers: dict[str, str], wanted: int) -> tuple[int, int]:
    """Ledger and counter. Events are written, and units given back, a moment after the answer; what is told is what is there after five
    seconds, or as soon as all agree.
    """
    for _ in range(50):
        ledger = await in_ledger(gateway, headers)
        counter = await asyncio.to_thread(gateway.redis.quota_used)
        if ledger == counter == wanted:
            break
        await asyncio.sleep(0.1)
    return ledger, counter


def _spell(seen: Sequence[Seen]) -> Spell:
    latencies = sorted(one.latency_ms for one in seen)
    return Spell(
        dict(Counter(one.status for one in seen)),
        latencies[len(latencies) // 2],
        latencies[len(latencies) * 99 // 100],
        latencies[-1],
    )


def _row(name: str, spell: Spell) -> tuple[str, ...]:
    answers = ", ".join(f"{count} x {status}" for status, count in sorted(spell.answers.items()))
    return (name, answers, *(f"{value:.1f}" for value in (spell.median_ms, spell.p99_ms, spell.slowest_ms)))


def main() -> int:
    found = asyncio.run(outage(5.0, 5.0))
    rows: list[tuple[str, ...]] = [("lane", "answers", "median ms", "p99 ms", "slowest ms")]
    for lane, (before, during) in found.spells.items():
        rows += [_row(f"{lane}, before", before), _row(f"{lane}, Redis paused", during)]
    table("Redis paused for 5 s under load", rows)
    before, during = found.spells[AUTHENTICATED]
    line(f"added to the authenticated lane at p99: {during.p99_ms - before.p99_ms:+.1f} ms")
    line()
    table(
        "Billing lane served again after",
        [(name, f"{seconds * 1000:.0f} ms") for name, seconds in found.recovered_s.items()],
    )
    table(
        "Books",
        [
            ("answered 200", f"{found.admitted}"),
            ("events in the ledger", f"{found.ledger}"),
            ("counter in Redis", f"{found.counter}"),
        ],
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
