"""When Redis is not asked at all: a circuit breaker, as a table.

| state   | event     | next    | meaning                                                                        |
|---------|-----------|---------|--------------------------------------------------------------------------------|
| closed  | answered  | closed  | misses are forgotten                                                           |
| closed  | missed    | closed  | no answer in time, or that it cannot serve; the third in a row is `tripped`    |
| closed  | tripped   | open    | whoever asks is refused at once, and nobody waits for a deadline any more      |
| open    | probed    | probing | one question of ours is on its way, never a second one                         |
| probing | answered  | closed  | in time; a late answer is none                                                 |
| probing | missed    | open    |                                                                                |
| any     | lost      | open    | the connection has ended                                                       |
| any     | connected | closed  | a new one has answered its first questions                                     |

Everything else leaves the state as it is.
"""

from dataclasses import dataclass
from enum import StrEnum

MOST_MISSES = 3


class CircuitState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    PROBING = "probing"


class CircuitEvent(StrEnum):
    ANSWERED = "answered"
    MISSED = "missed"
    TRIPPED = "tripped"
    PROBED = "probed"
    LOST = "lost"
    CONNECTED = "connected"


_NEXT = {
    (CircuitState.CLOSED, CircuitEvent.TRIPPED): CircuitState.OPEN,
    (CircuitState.OPEN, CircuitEvent.PROBED): CircuitState.PROBING,
    (CircuitState.PROBING, CircuitEvent.ANSWERED): CircuitState.CLOSED,
    (CircuitState.PROBING, CircuitEvent.MISSED): CircuitState.OPEN,
    **{(state, CircuitEvent.LOST): CircuitState.OPEN for state in CircuitState},
    **{(state, CircuitEvent.CONNECTED): CircuitState.CLOSED for state in CircuitState},
}


@dataclass(frozen=True, slots=True)
class Circuit:
    """`misses` in a row; `openings` since the start. It is open before the first connection."""

    state: CircuitState = CircuitState.OPEN
    misses: int = 0
    openings: int = 0

    @property
    def is_closed(self) -> bool:
        return self.state is CircuitState.CLOSED

    def after(self, event: CircuitEvent) -> "Circuit":
        misses = self.misses + 1 if event is CircuitEvent.MISSED else 0
        if self.is_closed and misses >= MOST_MISSES:
            event = CircuitEvent.TRIPPED
        state = _NEXT.get((self.state, event), self.state)
        opened = self.is_closed and state is CircuitState.OPEN
        return Circuit(state, misses if state is CircuitState.CLOSED else 0, self.openings + opened)
