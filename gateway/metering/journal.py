"""The usage journal: intent before forwarding, result before the last byte, appended to a file that outlives the process.

Rules:
- An append is in the page cache when it returns, so it survives `kill -9`; a group fdatasync every few milliseconds, off the
  loop, covers the loss of power.
- At a rotation the open intents are appended again to the new segment, so a segment is needed only for results that were not
  shipped, and may go when the checkpoint has passed it.
- When an intent cannot be appended, the request is refused. A result that cannot be appended is kept and tried again, and no
  new intent is accepted meanwhile: the request it belongs to has already happened. What waits is written in its order, so that
  nothing has ended in a new segment before the intents of the old one are there.
- It is bounded: while `MOST_SEGMENTS` have not been shipped and deleted, no new intent is accepted.
"""

import asyncio
import errno
import os
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, Self

import structlog

from gateway.accounts.principal import UserId
from gateway.errors import JournalUnavailable
from gateway.metering.records import Doubt, Intent, Left, Record, Result, Void, encode
from gateway.metering.segments import (
    Position,
    delete_segments_before,
    find_room,
    lock_folder,
    open_segment,
    read_segment,
    segment_numbers,
    sync_and_close,
)

SEGMENT_BYTES: Final = 4 * 1024 * 1024
MOST_SEGMENTS: Final = 64
SYNC_EVERY_S: Final = 0.005
_AGAIN_S: Final = 0.2
_MOST_UNSHIPPED: Final = 100_000


@dataclass(slots=True, init=False)
class Entry:
    """An ended request, and the place in the journal after its end."""

    segment: int
    offset: int
    intent: Intent
    ended: Left

    def __init__(self, segment: int, offset: int, intent: Intent, ended: Left) -> None:
        self.segment = segment
        self.offset = offset
        self.intent = intent
        self.ended = ended

    @property
    def position(self) -> Position:
        return Position(self.segment, self.offset)


class Journal:
    """`is_shipped_here` is false in a relay process: the control process reads its files, so nothing is kept in memory."""

    def __init__(
        self,
        folder: Path,
        lock: int,
        number: int,
        descriptor: int,
        segment_bytes: int = SEGMENT_BYTES,
        *,
        is_shipped_here: bool = True,
    ) -> None:
        self._folder = folder
        self._lock = lock
        self._number = number
        self._descriptor = descriptor
        self._segment_bytes = segment_bytes
        self._offset = os.fstat(descriptor).st_size
        self._open: dict[str, Intent] = {}
        self._unshipped: deque[Entry] = deque()
        self._unwritten: deque[Record] = deque()
        self._is_shipped_here = is_shipped_here
        self._is_failing = False
        self._is_full = False
        self._is_dirty = False
        self._work = asyncio.Event()
        self._changed = asyncio.Event()
        self._log = structlog.get_logger("journal")
        self.written = 0
        self.shipped = 0

    @classmethod
    def open(cls, folder: Path, checkpoint: Position, segment_bytes: int = SEGMENT_BYTES) -> Self:
        """Reads what is there (blocking). What ended after `checkpoint` is unshipped again; raises JournalLocked, OSError."""
        lock = lock_folder(folder)
        numbers = segment_numbers(folder)
        number = max([*numbers, checkpoint.segment, 1])
        records = [
            found
            for segment in numbers
            for found in read_segment(folder, segment, is_last=segment == numbers[-1])
        ]
        journal = cls(folder, lock, number, open_segment(folder, number), segment_bytes)
        for record, position in records:
            journal._replay(record, position, checkpoint)
        return journal

    @classmethod
    def begin_folder(cls, folder: Path) -> Self:
        """A relay process's own: a new folder, read by the control process (blocking). Raises JournalLocked, OSError."""
        lock = lock_folder(folder)
        return cls(folder, lock, 1, open_segment(folder, 1), is_shipped_here=False)

    def close(self) -> None:
        """Blocking."""
        with suppress(OSError):
            os.fdatasync(self._descriptor)
        os.close(self._descriptor)
        os.close(self._lock)

    @property
    def is_writable(self) -> bool:
        return not self._is_hindered and len(self._unshipped) < _MOST_UNSHIPPED

    @property
    def _is_hindered(self) -> bool:
        return self._is_failing or self._is_full

    @property
    def pending(self) -> int:
        return self.written - self.shipped

    def begin(self, intent: Intent) -> None:
        """Raises JournalUnavailable."""
        if not self.is_writable:
            raise JournalUnavailable
        try:
            self.append(intent)
        except OSError as error:
            self._fail(error)
            raise JournalUnavailable from error
        self._open[intent.id] = intent

    def adopt(self, intent: Intent) -> None:
        """Takes over a request that began in another journal: it is ended here. Raises OSError."""
        if self._is_failing:
            raise OSError(errno.ENOSPC, "the journal cannot be written")
        self.append(intent)
        self._open[intent.id] = intent

    async def sync(self) -> None:
        """What was appended is safe from a loss of power. Raises OSError."""
        await asyncio.to_thread(os.fdatasync, self._descriptor)

    def end(self, ended: Left) -> None:
        """Of a request that has begun. Never fails: what cannot be appended now is appended later."""
        intent = self._open.pop(ended.id)
        self._unwritten.append(ended)
        if not self._is_failing:
            self._write_waiting()
        if self._is_shipped_here:
            self._unshipped.append(Entry(self._number, self._offset, intent, ended))
            self.written += isinstance(ended, Result)
            self._changed.set()

    def append(self, record: Record) -> None:
        frame = encode(record)
        count = os.write(self._descriptor, frame)
        if count != len(frame):
            os.ftruncate(self._descriptor, self._offset)
            raise OSError("the disk took only a part of the record")
        self._offset += count
        if not self._is_dirty:
            self._is_dirty = True
            self._work.set()

    def is_open(self, request_id: str) -> bool:
        return request_id in self._open

    def open_intents(self) -> list[Intent]:
        return list(self._open.values())

    def open_ids(self, user_id: UserId, period_name: str) -> list[str]:
        """Requests of that user and month that count, and have no outcome yet."""
        return [
            intent.id
            for intent in self._open.values()
            if intent.user_id == user_id and intent.period_name == period_name and intent.counted
        ]

    def unshipped(self, most: int) -> list[Entry]:
        """The oldest; they stay until `mark_shipped`."""
        return list(islice(self._unshipped, most))

    def unshipped_ids(self) -> set[str]:
        return {entry.ended.id for entry in self._unshipped}

    def mark_shipped(self, entries: list[Entry]) -> None:
        for _ in entries:
            self._unshipped.popleft()
        self.shipped += sum(isinstance(entry.ended, Result) for entry in entries)

    async def until_unshipped(self) -> None:
        while not self._unshipped:
            self._changed.clear()
            await self._changed.wait()

    async def delete_before(self, checkpoint: Position) -> None:
        if checkpoint.segment > 1 and not self._unwritten:
            await asyncio.to_thread(delete_segments_before, self._folder, checkpoint.segment)

    async def keep(self) -> None:
        """Syncs, rotates, and writes again what could not be written. Runs until cancelled."""
        while True:
            await self._work.wait()
            await asyncio.sleep(_AGAIN_S if self._is_hindered else SYNC_EVERY_S)
            try:
                await self._tend()
            except OSError as error:
                self._fail(error)
            if not self._is_dirty and not self._is_hindered:
                self._work.clear()

    async def _tend(self) -> None:
        """Raises OSError."""
        if self._is_failing:
            # Nothing is appended meanwhile, so the thread has the file to itself.
            await asyncio.to_thread(find_room, self._descriptor, self._offset)
            self._is_failing = False
            self._write_waiting()
            if not self._is_failing:
                self._log.info("journal_writable_again")
        if self._is_dirty:
            self._is_dirty = False
            await asyncio.to_thread(os.fdatasync, self._descriptor)
        if self._offset >= self._segment_bytes:
            await self._rotate()
        elif self._is_full:
            await self._look_if_full()

    async def _rotate(self) -> None:
        descriptor = await asyncio.to_thread(open_segment, self._folder, self._number + 1)
        old, self._descriptor = self._descriptor, descriptor
        self._number += 1
        self._offset = 0
        self._unwritten.extend(self._open.values())
        self._write_waiting()
        await asyncio.to_thread(sync_and_close, old)
        await self._look_if_full()

    async def _look_if_full(self) -> None:
        """On the disk, since another process may be the one that ships and deletes."""
        kept = len(await asyncio.to_thread(segment_numbers, self._folder))
        if self._is_full != (kept > MOST_SEGMENTS):
            self._is_full = kept > MOST_SEGMENTS
            self._log.warning("journal_full" if self._is_full else "journal_has_room_again", segments=kept)

    def _write_waiting(self) -> None:
        try:
            while self._unwritten:
                self.append(self._unwritten[0])
                self._unwritten.popleft()
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        if not self._is_failing:
            self._log.error("journal_unwritable", error=str(error))
        self._is_failing = True
        self._work.set()

    def _replay(self, record: Record, position: Position, checkpoint: Position) -> None:
        match record:
            case Intent():
                self._open[record.id] = record
            case Result() | Void():
                intent = self._open.pop(record.id, None)
                if intent is not None and position > checkpoint:
                    self._unshipped.append(Entry(position.segment, position.offset, intent, record))
                    self.written += isinstance(record, Result)
                    self._changed.set()
            case Doubt():
                """Of a relay process: never in a journal that is replayed. The intent stays open, which is safe."""


def results(entries: list[Entry]) -> list[tuple[Intent, Result]]:
    return [(entry.intent, entry.ended) for entry in entries if isinstance(entry.ended, Result)]
