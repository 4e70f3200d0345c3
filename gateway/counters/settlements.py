"""Units given back or taken after the answer: sent at once, and again until the counters have confirmed them."""

import asyncio
from asyncio import Future
from typing import Final

from gateway.counters.port import Counters, Settlement
from gateway.counters.refusals import KnownRefusals
from gateway.errors import CountersUnavailable

_AGAIN_S: Final = 0.05
_BATCH: Final = 256


class Settlements:
    """Failure policy: while the counters are unreachable, settlements wait here, and in the journal across a restart."""

    def __init__(self, counters: Counters, refusals: KnownRefusals) -> None:
        self._counters = counters
        self._refusals = refusals
        self._waiting: dict[str, Settlement] = {}
        self._flying: set[str] = set()

    def settle(self, settlement: Settlement) -> None:
        self._waiting[settlement.request_id] = settlement
        self._send(settlement)

    def is_settled(self, request_id: str) -> bool:
        return request_id not in self._waiting

    @property
    def pending(self) -> int:
        return len(self._waiting)

    async def run(self) -> None:
        """Sends again what was not confirmed. Runs until cancelled."""
        while True:
            await asyncio.sleep(_AGAIN_S)
            left = [item for item in self._waiting.values() if item.request_id not in self._flying]
            for settlement in left[:_BATCH]:
                self._send(settlement)

    def _send(self, settlement: Settlement) -> None:
        # Forgotten before and after: a refusal that is on its way now was decided before this unit came back.
        self._refusals.forget(settlement.user_id)
        try:
            future = self._counters.settle(settlement)
        except CountersUnavailable:
            return
        if future is None:
            self._confirmed(settlement)
            return
        self._flying.add(settlement.request_id)
        future.add_done_callback(lambda done: self._answered(settlement, done))

    def _answered(self, settlement: Settlement, future: Future[None]) -> None:
        self._flying.discard(settlement.request_id)
        if not future.cancelled() and future.exception() is None:
            self._confirmed(settlement)

    def _confirmed(self, settlement: Settlement) -> None:
        self._waiting.pop(settlement.request_id, None)
        self._refusals.forget(settlement.user_id)
