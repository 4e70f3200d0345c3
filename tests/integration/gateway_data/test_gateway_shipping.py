"""From journals to the ledger through every failure on the way: nothing is lost, nothing is there twice."""

import asyncio
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.counters.local_counters import LocalCounters
from gateway.counters.refusals import KnownRefusals
from gateway.counters.settlements import Settlements
from gateway.metering.journal import Journal
from gateway.metering.ledger import Ledger
from gateway.metering.records import Intent, Result, Void, encode
from gateway.metering.segments import START, Position, segment_path
from gateway.metering.shipper import Shipped, Shipper
from gateway.metering.tail import JournalTail
from tests.integration.gateway_data.metering_desk import CLOCK, USER, close, desk, intent, result


class LedgerThatFails:
    """Raises what a broken database raises, before or after the commit; every second time it works."""

    def __init__(self, ledger: Ledger, *, after_commit: bool) -> None:
        self._ledger = ledger
        self._after_commit = after_commit
        self.calls = 0

    async def record(
        self, ended: Sequence[tuple[Intent, Result]], checkpoint: Position, journal: str
    ) -> None:
        self.calls += 1
        fails = self.calls % 2 == 1
        if self._after_commit or not fails:
            await self._ledger.record(ended, checkpoint, journal)
        if fails:
            raise sqlite3.OperationalError("disk I/O error")


def settlements() -> Settlements:
    return Settlements(LocalCounters(CLOCK), KnownRefusals(CLOCK))


async def ship_at_last(shipper: Shipper) -> int:
    """How often it failed before."""
    for failures in range(100):
        try:
            await shipper.ship()
        except sqlite3.OperationalError:
            continue
        return failures
    raise AssertionError("it never shipped")


@pytest.mark.parametrize("after_commit", [True, False])
async def test_a_ledger_that_fails_around_its_commit_loses_and_doubles_nothing(
    tmp_path: Path, *, after_commit: bool
) -> None:
    made: list[Intent] = []
    async with desk(tmp_path) as first:
        failing = LedgerThatFails(first.ledger, after_commit=after_commit)
        shipper = Shipper(first.journal, failing, settlements(), START)
        for _ in range(3):
            for position in range(20):
                one = intent()
                made.append(one)
                first.meter.begin(one)
                first.meter.end(one, Void(one.id) if position == 7 else result(one))
            assert await ship_at_last(shipper) == 1
            with pytest.raises(sqlite3.OperationalError):
                await shipper.finish()
            await shipper.finish()
        recorded = await first.events()

    expected = sorted(one.id for position, one in enumerate(made) if position % 20 != 7)
    assert sorted(recorded) == expected
    async with desk(tmp_path) as again:
        assert again.journal.unshipped(10) == []
        assert sorted(await again.events()) == expected
        assert await again.used() == len(expected)


async def test_a_process_that_dies_between_commit_and_checkpoint_ships_again_and_doubles_nothing(
    tmp_path: Path,
) -> None:
    one = intent()
    async with desk(tmp_path) as first:
        first.meter.begin(one)
        first.meter.end(one, result(one))
        failing = LedgerThatFails(first.ledger, after_commit=True)
        with pytest.raises(sqlite3.OperationalError):
            await Shipper(first.journal, failing, settlements(), START).ship()

    async with desk(tmp_path) as again:
        assert [entry.ended.id for entry in again.journal.unshipped(10)] == [one.id]
        assert (await again.events(), await again.used()) == ([one.id], 1)


async def test_two_shippers_that_read_one_relay_process_at_once_record_each_event_once(
    tmp_path: Path,
) -> None:
    journal = await asyncio.to_thread(Journal.begin_folder, tmp_path / "relay-1")
    ledgers = [await Ledger.open(tmp_path / "usage.db") for _ in range(2)]
    tails = [JournalTail(tmp_path / "relay-1", START) for _ in ledgers]
    made = []

    async def write() -> None:
        for _ in range(300):
            one = intent()
            made.append(one.id)
            journal.begin(one)
            journal.end(result(one))
            await asyncio.sleep(0)

    async def follow(tail: JournalTail, ledger: Ledger) -> None:
        shipper = Shipper(_shipped(tail), ledger, settlements(), START, "relay-1")
        while tail.shipped < 300:
            tail.take(await asyncio.to_thread(tail.read))
            await shipper.ship()
        await shipper.finish()

    try:
        async with asyncio.timeout(20):
            await asyncio.gather(write(), *(follow(*pair) for pair in zip(tails, ledgers, strict=True)))
        events, _ = await ledgers[0].events(USER, 1000, None)
        end = await ledgers[1].checkpoint("relay-1")
    finally:
        for ledger in ledgers:
            await ledger.close()
    size = segment_path(tmp_path / "relay-1", 1).stat().st_size
    await close(journal)

    assert sorted(event.id for event in events) == sorted(made)
    assert (len(made), end) == (300, Position(1, size))


def _shipped(tail: JournalTail) -> Shipped:
    return tail


def test_a_record_is_read_when_it_is_whole_wherever_it_was_torn(tmp_path: Path) -> None:
    whole, torn = intent(), intent()
    frames = encode(whole), encode(torn)
    path = segment_path(tmp_path, 1)
    for cut in range(len(frames[1])):
        path.write_bytes(frames[0] + frames[1][:cut])
        tail = JournalTail(tmp_path, START)
        tail.take(tail.read())
        assert tail.open_intents() == [whole], cut

        with path.open("ab") as segment:
            segment.write(frames[1][cut:])
        tail.take(tail.read())
        assert tail.open_intents() == [whole, torn], cut


async def test_what_a_dead_relay_process_tore_is_not_taken_for_a_record(tmp_path: Path) -> None:
    ended, left_open, torn = intent(), intent(), intent()
    journal = await asyncio.to_thread(Journal.begin_folder, tmp_path)
    for one in (ended, left_open, torn):
        journal.begin(one)
    journal.end(result(ended))
    size = segment_path(tmp_path, 1).stat().st_size
    journal.end(result(torn))
    await close(journal)
    os.truncate(segment_path(tmp_path, 1), size + 5)

    tail = JournalTail(tmp_path, START)
    entries = tail.take(await asyncio.to_thread(tail.read))

    assert [entry.ended for entry in entries] == [result(ended)]
    # Nobody saw its end any more, so it is asked for like the other.
    assert tail.open_intents() == [left_open, torn]
