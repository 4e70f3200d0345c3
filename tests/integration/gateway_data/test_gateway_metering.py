"""Journal, ledger and shipper, on a real disk: nothing is lost, nothing is counted twice."""

import asyncio
import os
from pathlib import Path

import pytest

from gateway.accounts.principal import UserId
from gateway.counters.port import Claim, Seed
from gateway.errors import JournalUnavailable
from gateway.metering.records import Result, Void
from gateway.metering.segments import START, JournalLocked, segment_numbers, segment_path
from gateway.rules.period import period_at
from shared.supervise import supervised
from tests.integration.gateway_data.conftest import until
from tests.integration.gateway_data.metering_desk import (
    CLOCK,
    USER,
    close,
    desk,
    intent,
    new_id,
    open_journal,
    result,
)


async def test_what_ended_is_in_the_books_shipped_or_not(tmp_path: Path) -> None:
    async with desk(tmp_path) as first:
        one, open_one = intent(), intent()
        first.meter.begin(one)
        first.meter.begin(open_one)
        first.meter.end(one, result(one))

        assert await first.events() == [one.id]
        assert await first.used() == 2
        (total,) = await first.books.totals(USER, one.period_name)
        assert (total.event_type, total.count, total.cost) == ("deployment.created", 1, 1.0)


async def test_a_process_that_dies_loses_nothing_and_ships_nothing_twice(tmp_path: Path) -> None:
    done, free, never_sent, cut_off = intent(), intent(), intent(), intent()
    async with desk(tmp_path) as first:
        for one in (done, free, never_sent, cut_off):
            first.meter.begin(one)
        first.meter.end(done, result(done))
        first.meter.end(free, result(free, cost=0.0))
        first.meter.end(never_sent, Void(never_sent.id))

    for _ in range(3):
        async with desk(tmp_path) as again:
            assert sorted(await again.events()) == sorted([done.id, free.id])
            assert again.journal.open_intents() == [cut_off]
            assert await again.used() == 2


async def test_two_shippers_of_one_journal_record_each_event_once(tmp_path: Path) -> None:
    async with desk(tmp_path) as first:
        for _ in range(20):
            one = intent()
            first.meter.begin(one)
            first.meter.end(one, result(one))
        entries = first.journal.unshipped(100)
        recorded = [(entry.intent, entry.ended) for entry in entries if isinstance(entry.ended, Result)]
        await asyncio.gather(*(first.ledger.record(recorded, START) for _ in range(2)), first.shipper.ship())

        assert len(await first.events()) == 20
        assert await first.used() == 20


@pytest.mark.parametrize("cut", [1, 4, 9, 40])
async def test_a_torn_tail_is_cut_off_and_written_over(tmp_path: Path, cut: int) -> None:
    whole, torn, after = intent(), intent(), intent()
    journal = await open_journal(tmp_path)
    journal.begin(whole)
    journal.begin(torn)
    await close(journal)
    path = segment_path(tmp_path, 1)
    os.truncate(path, path.stat().st_size - cut)

    journal = await open_journal(tmp_path)
    assert journal.open_intents() == [whole]
    journal.begin(after)
    await close(journal)

    journal = await open_journal(tmp_path)
    assert journal.open_intents() == [whole, after]
    await close(journal)


async def test_zeros_where_a_record_was_to_be_are_cut_off(tmp_path: Path) -> None:
    whole = intent()
    journal = await open_journal(tmp_path)
    journal.begin(whole)
    await close(journal)
    path = segment_path(tmp_path, 1)
    os.truncate(path, path.stat().st_size + 4096)

    journal = await open_journal(tmp_path)
    assert journal.open_intents() == [whole]
    await close(journal)


async def test_a_flipped_bit_is_not_taken_for_a_record(tmp_path: Path) -> None:
    journal = await open_journal(tmp_path)
    journal.begin(intent())
    await close(journal)
    path = segment_path(tmp_path, 1)
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)

    journal = await open_journal(tmp_path)
    assert journal.open_intents() == []
    await close(journal)


async def test_segments_rotate_and_go_when_they_were_shipped(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    async with desk(tmp_path, segment_bytes=2_000) as first:
        long_lived = intent()
        first.meter.begin(long_lived)
        async with supervised({"journal": first.journal.keep}, lambda: None):
            for number in range(1, 6):
                for _ in range(10):
                    one = intent()
                    first.meter.begin(one)
                    first.meter.end(one, result(one))
                await until(lambda number=number: _has_rotated(journal, number))
                await first.shipper.ship()
            await first.shipper.finish()
            await first.shipper.ship()
        numbers = await asyncio.to_thread(segment_numbers, journal)
        assert numbers[0] > 1
        assert len(numbers) <= 2

    async with desk(tmp_path) as again:
        assert again.journal.open_intents() == [long_lived]
        assert len(await again.events()) == 50


async def test_a_second_gateway_on_the_same_journal_is_refused(tmp_path: Path) -> None:
    journal = await open_journal(tmp_path)
    with pytest.raises(JournalLocked):
        await open_journal(tmp_path)
    await close(journal)


async def test_a_journal_that_cannot_be_written_refuses_until_it_can_and_keeps_what_ended(
    tmp_path: Path,
) -> None:
    journal = await open_journal(tmp_path)
    one = intent()
    journal.begin(one)
    good = os.dup(journal._descriptor)
    full = await asyncio.to_thread(os.open, "/dev/full", os.O_WRONLY)
    os.dup2(full, journal._descriptor)

    journal.end(result(one))
    with pytest.raises(JournalUnavailable):
        journal.begin(intent())

    os.dup2(good, journal._descriptor)
    async with supervised({"journal": journal.keep}, lambda: None):
        await until(lambda: journal.is_writable)
    later = intent()
    journal.begin(later)
    await close(journal)
    os.close(good)
    os.close(full)
    journal = await open_journal(tmp_path)
    assert journal.open_intents() == [later]
    assert [entry.ended for entry in journal.unshipped(10)] == [result(one)]
    await close(journal)


async def test_events_are_paged_newest_first(tmp_path: Path) -> None:
    async with desk(tmp_path) as first:
        made = []
        for _ in range(5):
            one = intent()
            made.append(one.id)
            first.meter.begin(one)
            first.meter.end(one, result(one))

        page, cursor = await first.books.events(USER, 3, None)
        rest, end = await first.books.events(None, 3, cursor)

        assert [event.id for event in (*page, *rest)] == sorted(made, reverse=True)
        assert end is None
        assert await first.books.events(UserId("someone"), 3, None) == ([], None)
        with pytest.raises(ValueError, match="cursor"):
            await first.books.events(USER, 3, "nonsense' OR 1")


async def test_a_seed_counts_what_ends_meanwhile_once(tmp_path: Path) -> None:
    async with desk(tmp_path) as first:
        opened = [intent() for _ in range(30)]
        for one in opened:
            first.meter.begin(one)

        async def end_all() -> None:
            for position, one in enumerate(opened):
                first.meter.end(one, result(one, cost=float(position % 2)))
                await asyncio.sleep(0)

        period = period_at(CLOCK.now())
        seed, _ = await asyncio.gather(first.books.seed(USER, period), end_all())
        await first.counters.seed(USER, period, seed)

        assert await first.used() == 15


async def test_local_counters_begin_with_the_ledgers_count(tmp_path: Path) -> None:
    async with desk(tmp_path) as first:
        for _ in range(4):
            one = intent()
            first.meter.begin(one)
            first.meter.end(one, result(one))
    async with desk(tmp_path) as again:
        period = period_at(CLOCK.now())
        seed = await again.books.seed(USER, period)
        assert seed == Seed(4, [])
        await again.counters.seed(USER, period, seed)
        claim = Claim(
            request_id=new_id(), user_id=USER, period=period, quota_limit=5, rate_per_minute=60, burst=5
        )
        assert getattr(again.counters.reserve(claim, print), "quota_used", None) == 5


async def _has_rotated(folder: Path, times: int) -> bool:
    return (await asyncio.to_thread(segment_numbers, folder))[-1] > times
