"""Taking back a change that nobody confirmed in time."""

from dataclasses import dataclass
from enum import Enum, auto

from shared.clock import Clock
from worker.firewall.nft import Nft
from worker.firewall.records import FirewallRecords, Pending


class Watched(Enum):
    NOTHING_PENDING = auto()
    STILL_PENDING = auto()
    REVERTED = auto()


@dataclass(frozen=True, slots=True)
class _Due:
    version: int
    at: float


class Reversion:
    """`look` again and again until nothing is pending. The window is measured by a clock that nobody sets, from the first look on."""

    def __init__(self, records: FirewallRecords, nft: Nft, clock: Clock) -> None:
        self._records = records
        self._nft = nft
        self._clock = clock
        self._due: _Due | None = None

    def look(self, *, now_at_the_latest: bool = False) -> Watched:
        """Under the records' lock, which the caller holds. Raises FirewallUnavailable, RulesetRefused: look again then."""
        change = self._records.pending()
        if change is None:
            return Watched.NOTHING_PENDING
        if not now_at_the_latest and self._clock.monotonic() < self._due_at(change):
            return Watched.STILL_PENDING
        if change.former is not None:
            self._nft.apply(change.former)
        self._records.drop_pending()
        return Watched.REVERTED

    def _due_at(self, change: Pending) -> float:
        if self._due is None or self._due.version != change.version:
            left = min(max(change.expires_at - self._clock.now(), 0.0), change.window_s)
            self._due = _Due(change.version, self._clock.monotonic() + left)
        return self._due.at
