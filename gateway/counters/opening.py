"""The counters of a running gateway: in Redis or in the process, with what keeps them going."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.counters.local_counters import LocalCounters
from gateway.counters.port import Counters
from gateway.counters.redis_counters import SCRIPTS, RedisCounters
from gateway.counters.redis_link import Address, RedisLink
from gateway.counters.refusals import KnownRefusals
from gateway.counters.settlements import Settlements
from shared.clock import Clock
from shared.ids import new_id
from shared.supervise import BackgroundJob, supervised

_FIRST_CONNECTION_S = 1.0
_QUOTA_REFUSED_S = 0.25
"""A unit that another relay process gives back ends a quota refusal here this much later, at most."""


@dataclass(frozen=True, slots=True)
class RedisSide:
    """`owner` is this gateway's name in its reservations, the same after a restart."""

    link: RedisLink
    owner: str


@dataclass(frozen=True, slots=True)
class Counting:
    """`redis` is None for counters in the process."""

    counters: Counters
    refusals: KnownRefusals
    settlements: Settlements
    redis: RedisSide | None


@asynccontextmanager
async def open_counting(
    address: Address | None,
    data_dir: Path,
    clock: Clock,
    on_death: Callable[[], None],
    relay: str | None = None,
) -> AsyncIterator[Counting]:
    """`relay` names a relay process. Does not wait long for Redis: without it, billed requests are refused until it is there. Raises OSError."""
    refusals = KnownRefusals(clock, _QUOTA_REFUSED_S if relay is not None else float("inf"))
    if address is None:
        counters: Counters = LocalCounters(clock)
        settlements = Settlements(counters, refusals)
        async with supervised({"settlements": settlements.run}, on_death):
            yield Counting(counters, refusals, settlements, None)
        return
    owner = await asyncio.to_thread(_owner, data_dir)
    if relay is not None:
        owner = owner_of_relay(owner, relay)
    link = RedisLink(address, SCRIPTS)
    counters = RedisCounters(link, owner)
    settlements = Settlements(counters, refusals)
    jobs: dict[str, BackgroundJob] = {"redis": link.keep, "settlements": settlements.run}
    async with supervised(jobs, on_death):
        await link.until_up(_FIRST_CONNECTION_S)
        yield Counting(counters, refusals, settlements, RedisSide(link, owner))


def owner_of_relay(owner: str, relay: str) -> str:
    """Each relay process reserves in its own name, so that what it left behind when killed can be told from the living."""
    return f"{owner}/{relay}"


def _owner(data_dir: Path) -> str:
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = data_dir / "owner"
    if not path.exists():
        temporary = path.with_suffix(".new")
        temporary.write_text(new_id("gw_"), encoding="ascii")
        temporary.replace(path)
    return path.read_text(encoding="ascii").strip()
