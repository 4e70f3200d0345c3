"""One reader's place in a project's events. They are in the database, so a reader is only a number."""

import re
from dataclasses import dataclass

from shared.clock import rfc3339
from shared.sse import encode_event
from worker.events.log import EventLog, ProjectEvent
from worker.projects.commands import ProjectCommands
from worker.projects.model import Project, ProjectUnknown
from worker.streams.event_id import epoch_of, gap

AT_ONCE = 200
LOOKS_PER_CHECK = 10

_FORM = re.compile(r"([0-9]{1,32})-([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class Place:
    """`after` is the last event that the reader has; `opening` is what it is told first."""

    after: int
    opening: bytes = b""


async def place_of(log: EventLog, project: Project, last_event_id: str | None, tail: int = 0) -> Place:
    """A new reader begins with the newest `tail` events, or with what happens next; one that comes back, where it was. The life of
    a project is the epoch of its ids.
    """
    if not last_event_id:
        return Place(await log.before_newest(project.project_id, tail) if tail else await log.last_id())
    form = _FORM.fullmatch(last_event_id)
    if form is None or form[1] != epoch_of(project.created_at):
        return Place(0, gap(None, "unknown_event_id"))
    after, oldest = int(form[2]), await log.oldest_id(project.project_id)
    return Place(after, gap(None, "too_old") if after < oldest else b"")


class EventReading:
    """A `worker.streams.sse.Reading`. Ends when the project is deleted."""

    def __init__(self, log: EventLog, projects: ProjectCommands, project: Project, place: Place) -> None:
        self._log = log
        self._projects = projects
        self._project = project
        self._place = place
        self._seen = -1
        self._looks = 0
        self._ended = False

    async def next(self, timeout: float) -> bytes | None:
        if self._ended:
            return None
        opening, self._place = self._place.opening, Place(self._place.after)
        if self._log.recorded == self._seen and not opening:
            await self._log.news.wait(timeout)
            self._looks += 1
        recorded = self._log.recorded
        # An idle reader costs no query, but one now and then: the end of a project is not an event of it.
        events = await self._fresh() if recorded != self._seen else b""
        if not events and self._looks % LOOKS_PER_CHECK == 0 and await self._is_gone():
            self._ended = True
            return opening + encode_event("end", {"reason": "deleted"})
        # A full batch may have left some behind.
        self._seen = -1 if events else recorded
        return opening + events

    async def close(self) -> None:
        """Nothing is held for a reader."""

    async def _fresh(self) -> bytes:
        events = await self._log.after(self._project.project_id, self._place.after, AT_ONCE)
        if events:
            self._place = Place(events[-1].event_id)
        epoch = epoch_of(self._project.created_at)
        return b"".join(
            encode_event("event", event_json(event), f"{epoch}-{event.event_id}") for event in events
        )

    async def _is_gone(self) -> bool:
        try:
            now = await self._projects.get(self._project.project_id)
        except ProjectUnknown:
            return True
        return now.created_at != self._project.created_at


def event_json(event: ProjectEvent) -> dict[str, object]:
    return {
        "id": str(event.event_id),
        "type": event.kind,
        "container": event.container,
        "message": event.message,
        "timestamp": rfc3339(event.at),
    }
