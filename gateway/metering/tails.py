"""The journals of all relay processes, living and dead, as far as the control process cares for them.

Rules:
- Each relay process has a folder of its own, which no other writes: `relay-<number>`, above all numbers that are left.
- What a relay process could not end, the control process adopts into its own journal, and recovery ends it there. The folder's
  checkpoint passes such a request only after that.
- A dead process's folder goes when everything in it is in the ledger, its orphaned reservations are released, and the counters
  have confirmed both. Until then it is found again by whoever starts next.
"""

import asyncio
import re
import shutil
from asyncio import TaskGroup
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from gateway.accounts.principal import UserId
from gateway.counters.settlements import Settlements
from gateway.errors import CountersUnavailable
from gateway.metering.journal import Journal
from gateway.metering.ledger import Ledger
from gateway.metering.meter import Meter
from gateway.metering.records import Doubt, Intent, Record, Result
from gateway.metering.recovery import Recovery
from gateway.metering.segments import JournalLocked, Position, lock_folder, sync_folder, unlock_folder
from gateway.metering.shipper import Shipper
from gateway.metering.tail import JournalTail

_NAME = re.compile(r"relay-([0-9]+)")
_AGAIN_S = 0.1

ReleaseOrphans = Callable[[str, Collection[str]], Awaitable[None]]
"""Of the relay process with that journal; the ids are those that are settled from the journals. Raises CountersUnavailable."""


class Unsettled(Exception):
    """The counters have not confirmed everything yet."""


@dataclass(frozen=True, slots=True)
class Heir:
    """Who ends what relay processes leave: the control process's own journal, and what belongs to it."""

    journal: Journal
    meter: Meter
    recovery: Recovery
    ledger: Ledger
    settlements: Settlements


@dataclass(frozen=True, slots=True)
class _Followed:
    tail: JournalTail
    shipper: Shipper


def journal_name(number: int) -> str:
    return f"relay-{number}"


class Tails:
    def __init__(self, folder: Path, heir: Heir, release_orphans: ReleaseOrphans) -> None:
        self._folder = folder
        self._heir = heir
        self._release_orphans = release_orphans
        self._followed: dict[str, _Followed] = {}
        self._dead: asyncio.Queue[str] = asyncio.Queue()
        self._turn = asyncio.Lock()
        self._any = asyncio.Event()
        self._written_by_gone = 0
        self._shipped_of_gone = 0
        self._log = structlog.get_logger("tails")

    async def find_left(self) -> int:
        """At start: takes up what earlier relay processes left, and answers the next free number."""
        names = await asyncio.to_thread(_names, self._folder)
        for name in names:
            await self.follow(name)
            self.died(name)
        return max((int(name.removeprefix("relay-")) for name in names), default=0) + 1

    async def follow(self, name: str) -> None:
        """The folder need not be there yet."""
        self._any.set()
        checkpoint = await self._heir.ledger.checkpoint(name)
        tail = JournalTail(self._folder / name, checkpoint)
        self._followed[name] = _Followed(
            tail, Shipper(tail, self._heir.ledger, self._heir.settlements, checkpoint, name)
        )

    def died(self, name: str) -> None:
        """The process that wrote it is gone, or about to be: its lock tells."""
        self._dead.put_nowait(name)

    async def ship(self) -> None:
        """Everything that has ended in a relay process before this call is in the ledger when it returns."""
        await self._ship(list(self._followed.values()))

    async def step(self) -> None:
        """Ships, as soon as there is a journal to read."""
        await self._any.wait()
        await self.ship()

    def open_ids(self, user_id: UserId, period_name: str) -> list[str]:
        return [
            request_id
            for followed in self._followed.values()
            for request_id in followed.tail.open_ids(user_id, period_name)
        ]

    @property
    def written(self) -> int:
        return self._written_by_gone + sum(followed.tail.written for followed in self._followed.values())

    @property
    def shipped(self) -> int:
        return self._shipped_of_gone + sum(followed.tail.shipped for followed in self._followed.values())

    @property
    def dead(self) -> int:
        """Those of which something is still to be settled."""
        return self._dead.qsize()

    async def retire_dead(self) -> None:
        """Runs until cancelled."""
        async with TaskGroup() as group:
            while True:
                name = await self._dead.get()
                group.create_task(self._retire(name), name=f"retire {name}")

    async def _ship(self, chosen: list[_Followed]) -> None:
        async with self._turn:
            found = await asyncio.to_thread(lambda: [followed.tail.read() for followed in chosen])
            for followed, records in zip(chosen, found, strict=True):
                await self._take(followed.tail, records)
        for followed in chosen:
            await followed.shipper.ship()

    async def _take(self, tail: JournalTail, records: list[tuple[Record, Position]]) -> None:
        for entry in tail.take(records):
            if not isinstance(entry.ended, Doubt):
                self._heir.meter.settle_again(entry.intent, entry.ended)
        while tail.doubted:
            doubted = tail.doubted[0]
            await self._adopt([(doubted.intent, doubted.seen)])
            tail.doubted.popleft()

    async def _adopt(self, left: list[tuple[Intent, Result | None]]) -> None:
        """Safe to repeat: what is open here already is being asked for."""
        journal = self._heir.journal
        new = [(intent, seen) for intent, seen in left if not journal.is_open(intent.id)]
        for intent, _ in new:
            journal.adopt(intent)
        await journal.sync()
        await self._heir.recovery.take_over(new)

    async def _retire(self, name: str) -> None:
        """Failure policy: whatever fails is logged and tried again; the folder stays for as long as that takes."""
        followed = self._followed[name]
        steps = (self._inherit, self._release, self._confirm, self._delete)
        done = 0
        while done < len(steps):
            try:
                await steps[done](followed)
                done += 1
            except (JournalLocked, CountersUnavailable, Unsettled):
                await asyncio.sleep(_AGAIN_S)
            except Exception:  # noqa: BLE001 - see the failure policy
                self._log.exception("journal_not_retired", journal=name)
                await asyncio.sleep(10 * _AGAIN_S)

    async def _inherit(self, followed: _Followed) -> None:
        """Raises JournalLocked while the process lives."""
        tail = followed.tail
        if not await asyncio.to_thread(tail.folder.exists):
            return
        lock = await asyncio.to_thread(lock_folder, tail.folder)
        try:
            await self._ship([followed])
            left = tail.open_intents()
            await self._adopt([(intent, None) for intent in left])
            for intent in left:
                tail.leave(intent)
        finally:
            await asyncio.to_thread(unlock_folder, lock)
        if left:
            self._log.warning("requests_left_open", journal=tail.name, count=len(left))

    async def _release(self, followed: _Followed) -> None:
        journal = self._heir.journal
        settled_here = {intent.id for intent in journal.open_intents()} | journal.unshipped_ids()
        await self._release_orphans(followed.tail.name, settled_here)

    async def _confirm(self, followed: _Followed) -> None:
        if not followed.shipper.is_confirmed:
            raise Unsettled

    async def _delete(self, followed: _Followed) -> None:
        tail = followed.tail
        await self._heir.ledger.forget_journal(tail.name)
        await asyncio.to_thread(_remove, tail.folder)
        del self._followed[tail.name]
        if not self._followed:
            self._any.clear()
        self._written_by_gone += tail.written
        self._shipped_of_gone += tail.shipped


def _names(folder: Path) -> list[str]:
    if not folder.exists():
        return []
    found = [name for path in folder.iterdir() if (name := _NAME.fullmatch(path.name)) and path.is_dir()]
    return [name[0] for name in sorted(found, key=lambda name: int(name[1]))]


def _remove(folder: Path) -> None:
    with suppress(FileNotFoundError):
        shutil.rmtree(folder)
        sync_folder(folder.parent)
