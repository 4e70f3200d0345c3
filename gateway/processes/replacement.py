"""When a relay process that ended is replaced, and when it is not worth trying again.

Rules: whoever served and lived for `YOUNG_S` is replaced at once. Of those that die young the first is, too; the next ones wait, longer
each time. One that never became ready died young, however long its start took: a busy machine may need many seconds for it.
When `MOST_FAILED_STARTS` in a row never became ready, and no other serves, there is something wrong that starting does not mend.
"""

from dataclasses import dataclass

YOUNG_S = 5.0
FIRST_DELAY_S = 0.1
LONGEST_DELAY_S = 5.0
MOST_FAILED_STARTS = 5


@dataclass(frozen=True, slots=True)
class Deaths:
    """In a row: those that died young, and those of them that never became ready."""

    young: int = 0
    before_ready: int = 0

    def and_one(self, lived_s: float, *, was_ready: bool) -> "Deaths":
        if was_ready and lived_s >= YOUNG_S:
            return Deaths()
        return Deaths(self.young + 1, 0 if was_ready else self.before_ready + 1)

    @property
    def delay_s(self) -> float:
        """Until the next one is started."""
        if self.young < 2:
            return 0.0
        return min(FIRST_DELAY_S * 2.0 ** min(self.young - 2, 10), LONGEST_DELAY_S)

    @property
    def is_hopeless(self) -> bool:
        return self.before_ready >= MOST_FAILED_STARTS
