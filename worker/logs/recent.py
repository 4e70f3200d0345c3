"""The end of a project's log: the last lines of each container, put in order, and where a reader of them stands."""

import heapq
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from worker.logs.line import LogLine, Marker, mark_at, read_from, short_id
from worker.logs.query import LogsWanted
from worker.streams.engine import ContainerSource, LogQuery, ServiceContainer

MOST_BYTES = 8 * 1024 * 1024
"""Of the lines of one container that are in memory for one answer; the oldest are left out."""
_LOOK_BACK = 16
"""Lines read before those wanted, so that the first of these get their true marks (see `worker.logs.line`)."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive lines of one container. `before` and `end` are marks: of what comes just before, and of the last line."""

    container: str
    lines: Sequence[LogLine]
    before: int
    end: int


def stretch_of(container: str, lines: Sequence[LogLine], seen: int) -> Stretch:
    """`seen` is the mark of the last line known, wanted or not."""
    if not lines:
        return Stretch(container, (), seen, seen)
    return Stretch(container, lines, lines[0].mark - 1, lines[-1].mark)


async def read_stretch(source: ContainerSource, container: ServiceContainer, wanted: LogsWanted) -> Stretch:
    """Raises EngineUnavailable, ContainerGone."""
    first = mark_at(wanted.since_ns)
    query = LogQuery(tail=wanted.tail + _LOOK_BACK, since_ns=read_from(first))
    marker = Marker(container.container_id, container.service)
    kept: deque[LogLine] = deque()
    size, seen = 0, max(first - 1, 0)
    async with aclosing(lines_of(source, container, query, marker)) as batches:
        async for lines in batches:
            for line in lines:
                seen = max(seen, line.mark)
                if line.mark >= first:
                    kept.append(line)
                    size += line.size
                while len(kept) > wanted.tail or size > MOST_BYTES:
                    size -= kept.popleft().size
    return stretch_of(short_id(container.container_id), kept, seen)


async def lines_of(
    source: ContainerSource, container: ServiceContainer, query: LogQuery, marker: Marker, after: int = -1
) -> AsyncGenerator[list[LogLine], None]:
    """The lines after the mark `after`, in the batches that the engine sends."""
    async with aclosing(source.log(container.container_id, query)) as batches:
        async for records in batches:
            if lines := list(marker.lines(records, after)):
                yield lines


def newest(stretches: Iterable[Stretch], count: int) -> tuple[list[LogLine], dict[str, int]]:
    """The last `count` lines of all containers together, by time, and the marks of what comes before them."""
    every = list(stretches)
    merged = list(heapq.merge(*(stretch.lines for stretch in every), key=lambda line: line.mark))
    cut = max(len(merged) - count, 0)
    marks = {stretch.container: stretch.before for stretch in every}
    marks.update((line.container, line.mark) for line in merged[:cut])
    return merged[cut:], marks
