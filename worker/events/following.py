"""A reader of one project's events, who may come back: they are numbered in the database, so a restart of the worker loses none."""

import re
from dataclasses import dataclass

from shared.sse import encode_event
from worker.events.log import EventLog, ProjectEvent
from worker.streams.event_id import gap

FIRST_EVENTS = 50
AT_ONCE = 200

_FORM = re.compile(r"([0-9a-z]{1,32})-([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class _Place:
    """After which event to go on, and what the reader is told first."""

    event_id: int
    opening: bytes = b""


class EventReading:
    """A `worker.streams.sse.Reading`."""

    def __init__(self, log: EventLog, project_id: str, kind: str | None, place: _Place) -> None:
        self._log = log
        self._project_id = project_id
        self._kind = kind
        self._after = place.event_id
        self._opening = place.opening
        self._looked_at = -1
        self._ended = False

    async def next(self, timeout: float) -> bytes | None:
        if self._ended:
            return None
        if self._looked_at == self._log.recorded:
            await self._log.news.wait(timeout)
        if self._looked_at == self._log.recorded:
            return b""
        # Noted before looking: what is recorded while we look is looked for again.
        self._looked_at = self._log.recorded
        found = await self._log.after(self._project_id, self._after, self._kind, AT_ONCE)
        events, self._opening = self._opening, b""
        events += b"".join(self._encode(event) for event in found)
        if found:
            self._after = found[-1].event_id
        if len(found) == AT_ONCE:
            self._looked_at = -1
        elif not await self._log.has_project(self._project_id):
            self._ended = True
            events += encode_event("end", {})
        return events

    async def close(self) -> None:
        """Nothing is held."""

    def _encode(self, event: ProjectEvent) -> bytes:
        return encode_event("event", event.as_json(), f"{self._log.epoch}-{event.event_id}")


async def follow(log: EventLog, project_id: str, kind: str | None, last_event_id: str | None) -> EventReading:
    """After `last_event_id`; without one, from the newest few on."""
    return EventReading(log, project_id, kind, await _place(log, project_id, kind, last_event_id))


async def _place(log: EventLog, project_id: str, kind: str | None, last_event_id: str | None) -> _Place:
    if last_event_id is None:
        newest = await log.newest(project_id, FIRST_EVENTS, kind)
        return _Place(newest[-1].event_id - 1 if newest else 0)
    form = _FORM.fullmatch(last_event_id)
    if form is None or form[1] != log.epoch or int(form[2]) > await log.last_id():
        return _Place(0, gap(None, "unknown_event_id"))
    had = int(form[2])
    return _Place(had, gap(None, "too_old") if had < await log.oldest_kept(project_id) else b"")
