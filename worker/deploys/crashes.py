"""When is it hopeless? Five restarts in five minutes. Pure."""

from collections import deque

CRASHED_AFTER = 5
WINDOW_S = 300.0


class RestartWindow:
    """Counts restarts by what the engine's own counter gained between two looks, so a missed event costs nothing.

    A container seen for the first time gives the counter's starting point: what happened before us is not held against it.
    """

    def __init__(self) -> None:
        self._counters: dict[str, int] = {}
        self._restarts: dict[str, deque[float]] = {}

    def is_crashing(self, container_id: str, counter: int, now: float) -> bool:
        gained = max(0, counter - self._counters.get(container_id, counter))
        self._counters[container_id] = counter
        recent = self._restarts.setdefault(container_id, deque(maxlen=CRASHED_AFTER))
        recent.extend([now] * min(gained, CRASHED_AFTER))
        return len(recent) == CRASHED_AFTER and now - recent[0] <= WINDOW_S

    def began(self, container_id: str) -> None:
        """We started it ourselves: the engine's counter is 0 again, and the past is forgiven."""
        self._counters[container_id] = 0
        self._restarts.pop(container_id, None)

    def forget(self, container_id: str) -> None:
        self._counters.pop(container_id, None)
        self._restarts.pop(container_id, None)
