"""The metering of a running gateway: journal, ledger, and what moves events between them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gateway.counters.admission import Admission
from gateway.counters.opening import Counting
from gateway.counters.orphans import Known, Orphans
from gateway.counters.seeding import Seeding
from gateway.errors import CountersUnavailable
from gateway.metering.books import Books
from gateway.metering.journal import Journal
from gateway.metering.ledger import Ledger
from gateway.metering.meter import Meter
from gateway.metering.recovery import Inquiry, Recovery
from gateway.metering.shipper import Shipper
from gateway.routes.current import CurrentRoutes
from shared.clock import Clock
from shared.supervise import BackgroundJob, forever, supervised

_SHIP_AGAIN_S = 0.0
_SWEEP_AGAIN_S = 1.0


@dataclass(frozen=True, slots=True)
class Accounting:
    journal: Journal
    meter: Meter
    recovery: Recovery
    admission: Admission
    books: Books


@asynccontextmanager
async def open_accounting(
    data_dir: Path,
    routes: CurrentRoutes,
    counting: Counting,
    inquiry: Inquiry,
    clock: Clock,
    on_death: Callable[[], None],
) -> AsyncIterator[Accounting]:
    """Settles what the last process left, in the background. Raises JournalLocked, OSError, sqlite3.Error, MigrationFailed."""
    began_at = clock.now()
    ledger = await Ledger.open(data_dir / "usage.db")
    try:
        checkpoint = await ledger.checkpoint()
        journal = await asyncio.to_thread(Journal.open, data_dir / "journal", checkpoint)
        try:
            shipper = Shipper(journal, ledger, counting.settlements, checkpoint)
            meter = Meter(journal, counting.counters, counting.settlements)
            recovery = Recovery(meter, ledger, inquiry, routes.upstream, clock)
            books = Books(journal, ledger, shipper, counting.counters, routes.plans, clock)
            seeding = Seeding(counting.counters, books)
            admission = Admission(counting.counters, counting.refusals, seeding, counting.settlements)
            jobs: dict[str, BackgroundJob] = {
                "journal": journal.keep,
                "shipper": partial(forever, _SHIP_AGAIN_S, shipper.step, "shipper"),
                "recovery": recovery.run,
                "seeding": seeding.run,
                "orphans": partial(_release_orphans, counting, journal, ledger, began_at),
            }
            meter.resettle()
            await recovery.begin(journal.open_intents())
            async with supervised(jobs, on_death):
                yield Accounting(journal, meter, recovery, admission, books)
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
