"""Reads Server-Sent Events as they were written."""

import json
from dataclasses import dataclass

import aiohttp


@dataclass(frozen=True, slots=True)
class Event:
    name: str
    event_id: str | None
    payload: dict[str, object]


class EventReader:
    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response
        self.comments = 0
        self.retry: int | None = None

    async def next(self) -> Event | None:
        """None when the server has ended the stream."""
        name, event_id, payload = "message", None, None
        async for raw in self.response.content:
            line = raw.decode().removesuffix("\n")
            kind, _, value = line.partition(": ")
            if kind == "id":
                event_id = value
            elif kind == "event":
                name = value
            elif kind == "data":
                payload = json.loads(value)
            elif kind == "retry":
                self.retry = int(value)
            elif line.startswith(":"):
                self.comments += 1
            elif not line and payload is not None:
                return Event(name, event_id, payload)
        return None

    async def take(self, count: int) -> list[Event]:
        events: list[Event] = []
        while len(events) < count:
            event = await self.next()
            assert event is not None, f"the stream ended after {len(events)} events"
            events.append(event)
        return events
