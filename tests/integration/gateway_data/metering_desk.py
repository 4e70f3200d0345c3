"""The books of one gateway on a real disk, without the gateway around them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gateway.accounts.principal import OrgId, PlanId, UserId
from gateway.counters.local_counters import LocalCounters
from gateway.counters.refusals import KnownRefusals
from gateway.counters.settlements import Settlements
from gateway.metering.books import Books
from gateway.metering.journal import Journal
from gateway.metering.ledger import Ledger
from gateway.metering.meter import Meter
from gateway.metering.records import Intent, Result
from gateway.metering.segments import START, Position
from gateway.metering.shipper import Shipper
from gateway.rules.entitlements import Plan, Plans
from gateway.rules.period import period_at
from shared.clock import SystemClock
from shared.ids import request_ids

CLOCK = SystemClock()
SECRET = b"a-secret-of-at-least-32-bytes-here"
USER = UserId("user_1")
PLAN = Plan(plan_id=PlanId("free"), requests_per_month=100, rate_per_minute=60, burst=5, limits_text="{}")
new_id = request_ids(CLOCK)


def intent(**changes: Any) -> Intent:
    now = CLOCK.now()
    made = Intent(
        id=new_id(),
        user_id=USER,
        org_id=OrgId("org_1"),
        key_id="session_1",
        plan_id=PlanId("free"),
        route="billing",
        upstream="hoster",
        method="POST",
        path="/api/v1/deployments",
        period_name=period_at(now).name,
        counted=True,
        created_at=now - 60,
    )
    return replace(made, **changes)


def result(of: Intent, cost: float = 1.0) -> Result:
    return Result(of.id, 202, "deployment.created", cost, 12.5, 3, 5)


def open_journal(
    folder: Path, checkpoint: Position = START, segment_bytes: int = 1 << 20
) -> Awaitable[Journal]:
    return asyncio.to_thread(Journal.open, folder, checkpoint, segment_bytes)


def close(journal: Journal) -> Awaitable[None]:
    return asyncio.to_thread(journal.close)


@dataclass
class Desk:
    """One life of a gateway's metering."""

    journal: Journal
    ledger: Ledger
    shipper: Shipper
    meter: Meter
    counters: LocalCounters
    books: Books

    async def used(self) -> int:
        return (await self.books.quota(USER, PlanId("free"))).used

    async def events(self) -> list[str]:
        return [event.id for event in (await self.books.events(USER, 100, None))[0]]


@asynccontextmanager
async def desk(folder: Path, **journal_options: Any) -> AsyncIterator[Desk]:
    ledger = await Ledger.open(folder / "usage.db")
    checkpoint = await ledger.checkpoint()
    journal = await open_journal(folder / "journal", checkpoint, **journal_options)
    counters = LocalCounters(CLOCK)
    settlements = Settlements(counters, KnownRefusals(CLOCK))
    shipper = Shipper(journal, ledger, settlements, checkpoint)
    meter = Meter(journal, counters, settlements)
    meter.resettle()
    books = Books(journal, ledger, shipper, counters, lambda: Plans({}, PLAN), CLOCK)
    try:
        yield Desk(journal, ledger, shipper, meter, counters, books)
    finally:
        await close(journal)
        await ledger.close()
