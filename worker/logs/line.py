"""Log lines with a place: where each stands in its container's log, the same whoever reads it and whenever. Pure.

A mark is the line's time in nanoseconds times 100000, plus a count of the lines that share it. Times come from the engine's log itself, so a mark
survives a restart of the agent, and nothing has to be remembered between two connections of a reader.

Facts:
- The engine reads stdout and stderr side by side, so two records may stand in the log in the wrong order of their times, by
  microseconds. Marks therefore follow the log's order: a record with an earlier time than the one before it shares that one's time.
- When the engine rotates a log that is being followed, it gives the last few lines once more (Docker 20.10). Whole lines of one stream with
  the same nanosecond and text are therefore one line; pieces of a long line are not, since they share their time by nature.

A reader that begins OVERLAP_NS before the line it wants gives every line from there the mark that any other reader gives it.
(After the machine's clock has been set back, lines count as one moment until it has caught up.)
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from worker.streams.event_id import gap
from worker.streams.log_frames import LogRecord

OVERLAP_NS = 2_000_000_000
BACK_NS = 1_000_000_000
_PLACES = 100_000
_OVERHEAD_BYTES = 256
_REMEMBERED = 1024


@dataclass(frozen=True, slots=True)
class LogLine:
    """`container` is the short id. `members` is the JSON of the line without its id, made once for all readers.

    `torn`: what came before it may be missing, because the engine no longer has it.
    """

    container: str
    mark: int
    members: str
    torn: bool = False

    @property
    def size(self) -> int:
        return len(self.members) + _OVERHEAD_BYTES

    def as_json(self, line_id: str) -> str:
        return f'{{"id":"{line_id}",{self.members}}}'

    def as_event(self, line_id: str) -> bytes:
        event = f"id: {line_id}\nevent: log\ndata: {self.as_json(line_id)}\n\n".encode()
        return gap(None, "rotated") + event if self.torn else event


def mark_at(ns: int) -> int:
    """The first mark of that nanosecond."""
    return ns * _PLACES


def read_from(mark: int) -> int:
    """The time (ns) from which a log must be read so that lines after `mark` get their true marks; 0: from the beginning."""
    return max(mark // _PLACES - OVERLAP_NS, 0)


def is_torn(mark: int, first: int | None) -> bool:
    """Whether lines after `mark` may be missing, when the log as it is now begins with `first`: then the line of `mark` is no longer in it.

    The engine rotates logs, and keeps so many bytes only.
    """
    return mark > 0 and first is not None and first > mark + 1


class Marker:
    """Gives marks to the records of one container, in the log's order. `first` is the first one given, wanted or not.

    `goes_back`: a record was more than a second older than the one before it.
    """

    def __init__(self, container_id: str, service: str) -> None:
        self._container = short_id(container_id)
        self._service = json.dumps(service)
        self.first: int | None = None
        self.goes_back = False
        self._last = -1
        self._recent: dict[int, None] = {}

    def lines(self, records: Iterable[LogRecord], after: int = -1) -> Iterator[LogLine]:
        """Those whose mark is greater than `after`."""
        for record in records:
            if record.whole and self._was_given(record):
                continue
            mark = mark_at(record.ns)
            self.goes_back |= mark + _PLACES * BACK_NS < self._last
            self._last = max(mark, self._last + 1)
            if self.first is None:
                self.first = self._last
            if self._last > after:
                yield LogLine(self._container, self._last, self._members(record))

    def _was_given(self, record: LogRecord) -> bool:
        key = hash((record.stream, record.ns, record.message))
        if key in self._recent:
            return True
        self._recent[key] = None
        if len(self._recent) > _REMEMBERED:
            del self._recent[next(iter(self._recent))]
        return False

    def _members(self, record: LogRecord) -> str:
        return (
            f'"service":{self._service},"container":{self._service},"timestamp":"{record.timestamp}",'
            f'"stream":"{record.stream}","message":{json.dumps(record.message)}'
        )


def short_id(container_id: str) -> str:
    return container_id[:12]
