"""The journal of a relay process, as the control process reads it while it is being written.

Rules:
- A frame that is not whole yet is read again later; whether it ever becomes whole does not matter to those before it.
- A segment is left behind when the next one has something in it: the writer appends to one segment at a time.
- What ended before the checkpoint was shipped by an earlier control process and is passed over.
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from gateway.accounts.principal import UserId
from gateway.metering.journal import Entry
from gateway.metering.records import Doubt, Intent, Record, Result, Torn, Void, decode_frames
from gateway.metering.segments import Position, delete_segments_before, segment_numbers, segment_path

_MOST_UNSHIPPED = 100_000


@dataclass(frozen=True, slots=True)
class Doubted:
    """A request that the relay process could not end by itself. `seen` is None when it was killed meanwhile."""

    intent: Intent
    seen: Result | None


class JournalTail:
    def __init__(self, folder: Path, checkpoint: Position) -> None:
        self._folder = folder
        self._checkpoint = checkpoint
        self._position = Position(0, 0)
        self._first_kept = 1
        self._open: dict[str, Intent] = {}
        self._unshipped: deque[Entry] = deque()
        self._changed = asyncio.Event()
        self.doubted: deque[Doubted] = deque()
        self.written = 0
        self.shipped = 0

    @property
    def name(self) -> str:
        return self._folder.name

    @property
    def folder(self) -> Path:
        return self._folder

    def read(self) -> list[tuple[Record, Position]]:
        """What was appended since the last `take` (blocking; touches no state but the files)."""
        if len(self._unshipped) >= _MOST_UNSHIPPED:
            return []
        position = self._position
        # The sizes first: a segment is read to its end only when its successor was in use before.
        sizes = dict(self._sizes())
        records: list[tuple[Record, Position]] = []
        for number, size in sizes.items():
            start = position.offset if number == position.segment else 0
            if size > start:
                records.extend(_frames(self._folder, number, start))
        return records

    def _sizes(self) -> Iterator[tuple[int, int]]:
        """Of the segment that is being read, and of those after it."""
        number = self._position.segment or min(segment_numbers(self._folder), default=0)
        with suppress(FileNotFoundError):
            while number:
                yield number, segment_path(self._folder, number).stat().st_size
                number += 1

    def take(self, records: list[tuple[Record, Position]]) -> list[Entry]:
        """Takes up what `read` found; those that ended, in their order."""
        ended = []
        for record, position in records:
            self._position = position
            entry = self._taken(record, position)
            if entry is not None:
                ended.append(entry)
        if ended:
            self._changed.set()
        return ended

    def open_intents(self) -> list[Intent]:
        return list(self._open.values())

    def leave(self, intent: Intent) -> None:
        """Another journal has it now."""
        self._open.pop(intent.id, None)

    def open_ids(self, user_id: UserId, period_name: str) -> list[str]:
        waiting = (doubted.intent for doubted in self.doubted)
        return [
            intent.id
            for intent in (*self._open.values(), *waiting)
            if intent.user_id == user_id and intent.period_name == period_name and intent.counted
        ]

    def unshipped(self, most: int) -> list[Entry]:
        return list(islice(self._unshipped, most))

    def mark_shipped(self, entries: list[Entry]) -> None:
        for _ in entries:
            self._unshipped.popleft()
        self.shipped += sum(isinstance(entry.ended, Result) for entry in entries)

    async def until_unshipped(self) -> None:
        while not self._unshipped:
            self._changed.clear()
            await self._changed.wait()

    async def delete_before(self, checkpoint: Position) -> None:
        if checkpoint.segment > self._first_kept:
            self._first_kept = checkpoint.segment
            await asyncio.to_thread(delete_segments_before, self._folder, checkpoint.segment)

    def _taken(self, record: Record, position: Position) -> Entry | None:
        if isinstance(record, Intent):
            self._open[record.id] = record
            return None
        intent = self._open.pop(record.id, None)
        if intent is None or position <= self._checkpoint:
            return None
        entry = Entry(position.segment, position.offset, intent, record)
        self._unshipped.append(entry)
        match record:
            case Doubt():
                self.doubted.append(Doubted(intent, record.seen))
            case Result():
                self.written += 1
            case Void():
                """Nothing to count."""
        return entry


def _frames(folder: Path, number: int, start: int) -> list[tuple[Record, Position]]:
    with segment_path(folder, number).open("rb") as segment:
        segment.seek(start)
        content = segment.read()
    records: list[tuple[Record, Position]] = []
    with suppress(Torn):
        records.extend(
            (record, Position(number, start + offset)) for record, offset in decode_frames(content)
        )
    return records
