"""When a failed add-on may be tried again: its death is itself an event, and must not start the next try at once. Pure."""

FIRST_S = 5.0
LONGEST_S = 300.0


class Backoff:
    """In memory: a restarted worker tries at once. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._failures: dict[str, int] = {}
        self._not_before: dict[str, float] = {}

    def failed(self, addon_id: str, now: float) -> None:
        failures = self._failures.get(addon_id, 0)
        self._failures[addon_id] = failures + 1
        self._not_before[addon_id] = now + min(FIRST_S * 2.0 ** min(failures, 10), LONGEST_S)

    def is_waiting(self, addon_id: str, now: float) -> bool:
        return now < self._not_before.get(addon_id, now)

    def forget(self, addon_id: str) -> None:
        self._failures.pop(addon_id, None)
        self._not_before.pop(addon_id, None)
