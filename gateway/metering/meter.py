"""The life of a billed request: begun in the journal, ended with what it cost, settled with the counters."""

from collections.abc import Callable
from typing import Final

from gateway.counters.port import Counters, Settlement, SettlementKind
from gateway.counters.settlements import Settlements
from gateway.errors import JournalUnavailable
from gateway.metering.journal import Journal
from gateway.metering.records import Doubt, Ended, Intent, Result, Void

_MOST_UNSETTLED: Final = 100_000

Inquire = Callable[[Intent, Result | None], None]


class Meter:
    """Every intent that was begun is ended exactly once, here or by the inquiry that it was left to."""

    def __init__(self, journal: Journal, counters: Counters, settlements: Settlements) -> None:
        self._journal = journal
        self._counters = counters
        self._settlements = settlements

    def begin(self, intent: Intent) -> None:
        """Raises JournalUnavailable, also when more waits for the counters than should be kept in memory."""
        if self._settlements.pending >= _MOST_UNSETTLED:
            raise JournalUnavailable
        self._journal.begin(intent)

    def end(self, intent: Intent, ended: Ended) -> None:
        # The settlement first: the shipper must not pass this request before it is confirmed.
        self._settle(intent, ended)
        self._journal.end(ended)

    def resettle(self) -> None:
        """At start: settles again what was not known to be settled when the process ended."""
        for entry in self._journal.unshipped(most=10**9):
            if not isinstance(entry.ended, Doubt):
                self._settle(entry.intent, entry.ended)

    def settle_again(self, intent: Intent, ended: Ended) -> None:
        """Of a relay process, which has done it already unless it was killed: settling twice is settling once.

        A charged unit needs nothing: it was taken at admission.
        """
        if isinstance(ended, Void) or ended.cost == 0 or not intent.counted:
            self._settle(intent, ended)

    def release(self, settlement: Settlement) -> None:
        """A reservation that never became an intent."""
        self._settlements.settle(settlement)

    def _settle(self, intent: Intent, ended: Ended) -> None:
        is_free = isinstance(ended, Void) or ended.cost == 0
        if not is_free and intent.counted:
            self._counters.forget(intent.user_id, intent.period_name, intent.id)
            return
        kind = SettlementKind.RELEASE if is_free else SettlementKind.CHARGE
        self._settlements.settle(Settlement(intent.user_id, intent.period_name, intent.id, kind))
