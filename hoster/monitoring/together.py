"""Several event streams of a deployment as one, resumable like each of them. Pure.

Rules:
- The id of an event says where each part is after it: `logs=…;stats=…`. A reader that comes back with it misses nothing of any.
- Events keep their names. A `gap` is called after its part (`logs-gap`): the reader has to know what is missing.
"""

import re

PARTS = ("logs", "stats", "events")
EVENT_MOST_BYTES = 1024 * 1024

_PLACE = re.compile(r"(logs|stats|events)=([0-9A-Za-z_.-]{1,2000})")
_END = b"\n\n"


class EventTooLong(Exception):
    """A worker is trusted with its own deployments, not with this process's memory."""


class Places:
    """Where each part is. What cannot be read of `last_event_id` is where a new reader begins."""

    def __init__(self, last_event_id: str | None) -> None:
        found = (_PLACE.fullmatch(place) for place in (last_event_id or "").split(";"))
        self._places = {place[1]: place[2] for place in found if place is not None}

    def of(self, part: str) -> str | None:
        return self._places.get(part)

    def move(self, part: str, place: str) -> str:
        """The id of the event that brought `part` there."""
        self._places[part] = place
        return ";".join(f"{name}={self._places[name]}" for name in PARTS if name in self._places)


class Part:
    """One of the streams, cut into whole events."""

    def __init__(self, name: str, places: Places) -> None:
        self._name = name
        self._places = places
        self._rest = b""

    def feed(self, piece: bytes) -> bytes:
        """What `piece` completes. Raises EventTooLong."""
        *blocks, self._rest = (self._rest + piece).split(_END)
        if len(self._rest) > EVENT_MOST_BYTES:
            raise EventTooLong(self._name)
        return b"".join(self._relabelled(block) + _END for block in blocks)

    def _relabelled(self, block: bytes) -> bytes:
        return b"\n".join(self._line(line) for line in block.split(b"\n"))

    def _line(self, line: bytes) -> bytes:
        if line.startswith(b"id: "):
            return b"id: " + self._places.move(self._name, line[4:].decode("ascii", "replace")).encode()
        if line == b"event: gap":
            return f"event: {self._name}-gap".encode()
        return line
