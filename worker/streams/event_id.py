"""Event ids of streams that live in the process: `<epoch>-<sequence>`, the epoch being one life of the source."""

import re
from dataclasses import dataclass
from typing import TypeVar

from shared.sse import encode_event
from worker.streams.ring import Ring

Item = TypeVar("Item")

_FORM = re.compile(r"([0-9a-z]{1,32})-([0-9]{1,19})")


@dataclass(frozen=True, slots=True)
class Start:
    """Where a reader begins, and the gap (or nothing) that it is told of first."""

    index: int
    opening: bytes = b""


def epoch_of(unix: float) -> str:
    """Milliseconds of the source's start."""
    return str(int(unix * 1000))


def start_after(last_event_id: str | None, epoch: str, ring: Ring[Item], *, newest: int) -> Start:
    """After `last_event_id` as far as the ring still has it; without one, `newest` items before the end."""
    if not last_event_id:
        return Start(max(ring.start, ring.end - newest))
    form = _FORM.fullmatch(last_event_id)
    if form is None or form[1] != epoch or int(form[2]) >= ring.end:
        # Another life of the source: what it had is not to be had any more.
        return Start(ring.start, gap(None, "unknown_event_id"))
    wanted = int(form[2]) + 1
    if wanted < ring.start:
        return Start(ring.start, gap(ring.start - wanted, "too_old"))
    return Start(wanted)


def gap(missed: int | None, reason: str) -> bytes:
    """Says that events are missing here: how many (None: unknown), and why."""
    return encode_event("gap", {"missed": missed, "reason": reason})
