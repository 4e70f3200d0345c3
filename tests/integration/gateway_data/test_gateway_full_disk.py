"""A usage journal on a full disk: what is billed is refused, everything else goes on, and nothing is lost."""

import asyncio
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.errors import JournalUnavailable
from gateway.metering import journal as journals
from gateway.metering.journal import Journal
from gateway.metering.segments import segment_numbers
from shared.supervise import supervised
from tests.integration.gateway_data.conftest import SignUp, StartGateway, Upstream, Visitor, until
from tests.integration.gateway_data.metering_desk import close, desk, intent, open_journal, result
from tests.integration.gateway_data.small_disk import SmallDisk, small_disk


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "data/journal") as mounted:
        yield mounted


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_on_a_full_disk_billing_is_refused_and_all_else_goes_on_until_there_is_room(
    disk: SmallDisk,
    start_gateway: StartGateway,
    sign_up: SignUp,
    upstream: Upstream,
    redis_url: str,
    workers: str,
) -> None:
    gateway = await start_gateway(redis_url, workers=workers, response_timeout="60s")
    ada = await sign_up(gateway)
    assert (await ada.create())[0] == 202
    held = asyncio.ensure_future(ada.create("perform-then-hold"))
    await until(lambda: len(upstream.performed) == 2)
    await asyncio.to_thread(disk.fill)

    await until(lambda: _is_refused(ada))
    performed = set(upstream.performed)
    for _ in range(5):
        status, _, body = await ada.create()
        assert (status, body["code"]) == (503, "journal_unavailable")
        assert (await ada.get("/api/v1/me"))["path"] == "/api/v1/me"
    # It had begun before: it is answered, and written down later.
    upstream.hold.set()
    assert (await held)[0] == 202
    assert set(upstream.performed) == performed
    await until(lambda: _is_writable(ada, wanted=False))
    assert gateway.log().count("journal_unwritable") <= int(workers)

    await asyncio.to_thread(disk.make_room)
    await until(lambda: _is_accepted(ada))
    await until(lambda: _has_used(ada, len(upstream.performed)))
    events = (await ada.get("/mod/usage/events?limit=100"))["items"]
    assert sorted(event["id"] for event in events if event["cost"]) == sorted(upstream.performed)
    await until(lambda: _is_writable(ada, wanted=True))


async def test_a_rotation_that_finds_no_room_loses_no_open_request(disk: SmallDisk, tmp_path: Path) -> None:
    folder = disk.folder / "one"
    async with desk(folder, segment_bytes=2000) as first:
        journal, opened = first.journal, [intent() for _ in range(50)]
        for one in opened:
            journal.begin(one)
        await asyncio.to_thread(disk.fill)
        async with supervised({"journal": journal.keep}, lambda: None):
            await until(lambda: not journal.is_writable)
            for one in opened[:10]:
                first.meter.end(one, result(one))
            assert await asyncio.to_thread(segment_numbers, folder / "journal") == [1, 2]
            # The room that the ledger needs is not there either.
            with pytest.raises(sqlite3.OperationalError):
                await first.shipper.ship()
            killed_now = tmp_path / "killed"
            await asyncio.to_thread(shutil.copytree, folder / "journal", killed_now)

            await asyncio.to_thread(disk.make_room)
            await until(lambda: journal.is_writable)
            for _ in range(2):
                await first.shipper.ship()
                await first.shipper.finish()
        assert len(await first.events()) == 10

    for left, still_open in ((killed_now, opened), (folder / "journal", opened[10:])):
        journal = await open_journal(left)
        assert {one.id for one in journal.open_intents()} == {one.id for one in still_open}
        await close(journal)


async def test_a_journal_that_nobody_ships_stops_growing_until_somebody_does(tmp_path: Path) -> None:
    journal = await open_journal(tmp_path, segment_bytes=500)
    async with supervised({"journal": journal.keep}, lambda: None):
        with pytest.raises(JournalUnavailable):
            await _write_for_ever(journal)
        assert len(await asyncio.to_thread(segment_numbers, tmp_path)) == journals.MOST_SEGMENTS + 1
        entries = journal.unshipped(10**6)
        journal.mark_shipped(entries)
        await journal.delete_before(entries[-1].position)
        await until(lambda: journal.is_writable)
    await close(journal)


async def _write_for_ever(journal: Journal) -> None:
    while True:
        one = intent()
        journal.begin(one)
        journal.end(result(one))
        await asyncio.sleep(journals.SYNC_EVERY_S)


async def _is_refused(visitor: Visitor) -> bool:
    return (await visitor.create("fail"))[0] == 503


async def _is_accepted(visitor: Visitor) -> bool:
    return (await visitor.create())[0] == 202


async def _is_writable(visitor: Visitor, *, wanted: bool) -> bool:
    return (await visitor.get("/stats"))["journal"]["writable"] is wanted


async def _has_used(visitor: Visitor, count: int) -> bool:
    return bool((await visitor.get("/mod/usage"))["quota"]["used"] == count)
