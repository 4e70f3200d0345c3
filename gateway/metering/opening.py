"""The metering of a running gateway: journals, ledger, and what moves events between them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gateway.accounts.principal import UserId
from gateway.counters.admission import Admission
from gateway.counters.opening import Counting, owner_of_relay
from gateway.counters.orphans import Known, Orphans
from gateway.counters.seeding import Seeding
from gateway.errors import CountersUnavailable
from gateway.metering.books import Books
from gateway.metering.inquiry import Inquiry
from gateway.metering.journal import Journal
from gateway.metering.ledger import Ledger
from gateway.metering.meter import Meter
from gateway.metering.performed_price import PerformedPrice
from gateway.metering.recovery import Recovery
from gateway.metering.shipper import Shipper
from gateway.metering.tails import Heir, Tails
from gateway.routes.current import CurrentRoutes
from shared.clock import Clock
from shared.supervise import BackgroundJob, forever, supervised

_SHIP_AGAIN_S = 0.0
_READ_TAILS_S = 0.1
_SWEEP_AGAIN_S = 1.0


@dataclass(frozen=True, slots=True)
class AllJournals:
    """The process's own journal, and those of relay processes."""

    journal: Journal
    shipper: Shipper
    tails: Tails

    async def ship(self) -> None:
        await self.tails.ship()
        await self.shipper.ship()

    def open_ids(self, user_id: UserId, period_name: str) -> list[str]:
        return [
            *self.journal.open_ids(user_id, period_name),
            *self.tails.open_ids(user_id, period_name),
        ]


@dataclass(frozen=True, slots=True)
class Accounting:
    """`next_relay` is the number of the first relay process that may be started."""

    journal: Journal
    meter: Meter
    recovery: Recovery
    admission: Admission
    books: Books
    tails: Tails
    next_relay: int


@asynccontextmanager
async def open_accounting(
    data_dir: Path,
    routes: CurrentRoutes,
    counting: Counting,
    inquiry: Inquiry,
    clock: Clock,
    on_death: Callable[[], None],
) -> AsyncIterator[Accounting]:
    """Settles what the last processes left, in the background. Raises JournalLocked, OSError, sqlite3.Error, MigrationFailed."""
    began_at = clock.now()
    ledger = await Ledger.open(data_dir / "usage.db")
    try:
        checkpoint = await ledger.checkpoint()
        journal = await asyncio.to_thread(Journal.open, data_dir / "journal", checkpoint)
        try:
            shipper = Shipper(journal, ledger, counting.settlements, checkpoint)
            meter = Meter(journal, counting.counters, counting.settlements)
            recovery = Recovery(meter, ledger, inquiry, routes.upstream, PerformedPrice(routes.route), clock)
            heir = Heir(journal, meter, recovery, ledger, counting.settlements)
            tails = Tails(data_dir / "journal", heir, partial(_release_orphans_of, counting, ledger, clock))
            journals = AllJournals(journal, shipper, tails)
            books = Books(journals, ledger, journals, counting.counters, routes.plans, clock)
            seeding = Seeding(counting.counters, books)
            admission = Admission(counting.counters, counting.refusals, seeding, counting.settlements)
            jobs: dict[str, BackgroundJob] = {
                "journal": journal.keep,
                "shipper": partial(forever, _SHIP_AGAIN_S, shipper.step, "shipper"),
                "recovery": recovery.run,
                "seeding": seeding.run,
                "orphans": partial(_release_orphans, counting, journal, ledger, began_at),
                "tails": partial(forever, _READ_TAILS_S, tails.step, "tails"),
                "retirement": tails.retire_dead,
            }
            meter.resettle()
            await recovery.begin(journal.open_intents())
            next_relay = await tails.find_left()
            async with supervised(jobs, on_death):
                yield Accounting(journal, meter, recovery, admission, books, tails, next_relay)
            await tails.ship()
            await shipper.finish()
        finally:
            await asyncio.to_thread(journal.close)
    finally:
        await ledger.close()


async def _release_orphans(counting: Counting, journal: Journal, ledger: Ledger, began_at: float) -> None:
    """Once, as soon as Redis can be asked; then rests until it is cancelled."""
    in_journal = {intent.id for intent in journal.open_intents()} | journal.unshipped_ids()
    redis = counting.redis
    while redis is not None:
        orphans = Orphans(redis.link, counting.counters, counting.settlements, redis.owner)
        try:
            await orphans.release(began_at, Known(in_journal, ledger.charged_among))
            break
        except CountersUnavailable:
            await asyncio.sleep(_SWEEP_AGAIN_S)
    await asyncio.Event().wait()


async def _release_orphans_of(
    counting: Counting, ledger: Ledger, clock: Clock, relay: str, in_journal: Collection[str]
) -> None:
    """Of a relay process that is dead, so that no reservation in its name is of the living. Raises CountersUnavailable."""
    redis = counting.redis
    if redis is None:
        return
    owner = owner_of_relay(redis.owner, relay)
    orphans = Orphans(redis.link, counting.counters, counting.settlements, owner)
    await orphans.release(clock.now() + _SWEEP_AGAIN_S, Known(in_journal, ledger.charged_among))
