"""The access log: one line for each request, in the form of the other logs, written by a thread several times a second.

Facts: structlog's processors cost about 30 us a line, which is half of what relaying a request costs; one JSON encoder call and a
shared write cost about 3 us.

Failure policy: what cannot be written in time is lost, and counted in a line of its own. A request never waits for its line.
"""

import asyncio
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from pydantic_core import to_json

from shared.clock import Clock

_EVERY_S = 0.1
MOST_WAITING = 50_000

Members = dict[str, object]
Form = Callable[[str, Members], bytes]
"""From the moment and the members to a line."""


class AccessLog:
    def __init__(self, form: str, clock: Clock, write: Callable[[bytes], None]) -> None:
        """`form` is `json` or `console`. `write` may block."""
        self._form = _FORMS[form]
        self._clock = clock
        self._write = write
        self._waiting: list[bytes] = []
        self._lost = 0
        self._second = 0
        self._second_text = ""

    def note(self, members: Members) -> None:
        """`members` are given away: the moment and the like are added to them."""
        if len(self._waiting) >= MOST_WAITING:
            self._lost += 1
        else:
            self._waiting.append(self._form(self._moment(), members))

    async def run(self) -> None:
        """Writes what was noted. Runs until cancelled, and then writes the rest."""
        try:
            while True:
                await asyncio.sleep(_EVERY_S)
                if self._waiting:
                    await asyncio.to_thread(self._write, self.taken())
        finally:
            self._write(self.taken())

    def taken(self) -> bytes:
        lines, self._waiting = self._waiting, []
        if self._lost:
            lines.append(self._form(self._moment(), {"event": "access_log_lost", "lines": self._lost}))
            self._lost = 0
        return b"".join(lines)

    def _moment(self) -> str:
        now = self._clock.now()
        second = int(now)
        if second != self._second:
            self._second = second
            self._second_text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return f"{self._second_text}.{int((now - second) * 1000):03d}Z"


def write_to_standard_error(lines: bytes) -> None:
    """Failure policy: as for other log lines, what cannot be written is lost."""
    try:
        sys.stderr.buffer.write(lines)
        sys.stderr.buffer.flush()
    except OSError:
        return


def _json_line(moment: str, members: Members) -> bytes:
    members["level"] = "info"
    members["service"] = "gateway"
    members["timestamp"] = moment
    return to_json(members) + b"\n"


def _console_line(moment: str, members: Members) -> bytes:
    said = " ".join(f"{name}={value}" for name, value in members.items() if value is not None)
    return f"{moment} [info] {said}\n".encode()


_FORMS: Mapping[str, Form] = {"json": _json_line, "console": _console_line}
