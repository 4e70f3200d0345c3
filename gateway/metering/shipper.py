"""From the journal to the ledger, in groups.

Rules: the checkpoint is written in the transaction of the events it covers, and never passes a request whose settlement the
counters have not confirmed: a restart then settles it again, which changes nothing if it was.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Protocol

from gateway.counters.settlements import Settlements
from gateway.metering.journal import Entry, results
from gateway.metering.ledger import OWN
from gateway.metering.records import Intent, Result
from gateway.metering.segments import Position

_GROUP = 500
_GATHER_S = 0.1
"""What is read is shipped first, so only the number of transactions depends on it."""


class Shipped(Protocol):
    """A journal, written here or read from a relay process's files."""

    def unshipped(self, most: int) -> list[Entry]: ...
    def mark_shipped(self, entries: list[Entry]) -> None: ...
    async def until_unshipped(self) -> None: ...
    async def delete_before(self, checkpoint: Position) -> None: ...


class Events(Protocol):
    async def record(
        self, ended: Sequence[tuple[Intent, Result]], checkpoint: Position, journal: str
    ) -> None:
        """In one transaction. An event that is there already stays as it is."""


class Shipper:
    """Failure policy: when the ledger cannot be written the error reaches the caller, and everything stays in the journal.

    That is so too when the ledger has committed before it failed: what is shipped again changes nothing.
    """

    def __init__(
        self,
        journal: Shipped,
        ledger: Events,
        settlements: Settlements,
        checkpoint: Position,
        name: str = OWN,
    ) -> None:
        self._journal = journal
        self._ledger = ledger
        self._settlements = settlements
        self._checkpoint = checkpoint
        self._name = name
        self._recorded: deque[Entry] = deque()
        self._turn = asyncio.Lock()

    async def ship(self) -> None:
        """Everything that has ended before this call is in the ledger when it returns."""
        async with self._turn:
            while entries := self._journal.unshipped(_GROUP):
                await self._ledger.record(results(entries), self._confirmed(), self._name)
                self._journal.mark_shipped(entries)
                self._recorded.extend(entries)
            await self._journal.delete_before(self._checkpoint)

    async def finish(self) -> None:
        """At the end: ships, and leaves the checkpoint as far on as it may be."""
        await self.ship()
        async with self._turn:
            await self._ledger.record([], self._confirmed(), self._name)

    @property
    def is_confirmed(self) -> bool:
        """Whether the counters have confirmed everything that was shipped."""
        self._confirmed()
        return not self._recorded

    async def step(self) -> None:
        """Waits for something to ship, lets a group gather, and ships it."""
        await self._journal.until_unshipped()
        await asyncio.sleep(_GATHER_S)
        await self.ship()

    def _confirmed(self) -> Position:
        last: Entry | None = None
        while self._recorded and self._settlements.is_settled(self._recorded[0].ended.id):
            last = self._recorded.popleft()
        if last is not None:
            self._checkpoint = last.position
        return self._checkpoint
