"""Refusals that are known to hold: answered again without asking the counters, until they can change.

Rules: a rate refusal holds until the next place is free. A quota refusal holds to the end of the month unless a unit is given
back, so a release forgets it. Another plan is another claim, which no refusal is known for. With several processes a release
may happen elsewhere, so a quota refusal is believed for `longest_s` only. A place in the rate is never given back: what is known
of it here holds everywhere.
"""

from dataclasses import dataclass
from typing import Final

from gateway.accounts.principal import UserId
from gateway.counters.port import Claim, QuotaRefused, RateRefused, Refused
from shared.clock import Clock

_MOST: Final = 10_000


@dataclass(frozen=True, slots=True)
class _Known:
    period_name: str
    plan: tuple[int, int, int]
    refusal: Refused
    until: float


class KnownRefusals:
    def __init__(self, clock: Clock, longest_s: float = float("inf")) -> None:
        self._clock = clock
        self._longest_s = longest_s
        self._known: dict[UserId, _Known] = {}

    def find(self, claim: Claim) -> Refused | None:
        known = self._known.get(claim.user_id)
        if known is None:
            return None
        left = known.until - self._clock.monotonic()
        if left <= 0 or known.plan != _plan(claim) or known.period_name != claim.period.name:
            del self._known[claim.user_id]
            return None
        return known.refusal if isinstance(known.refusal, QuotaRefused) else RateRefused(left)

    def add(self, claim: Claim, refusal: Refused) -> None:
        if isinstance(refusal, QuotaRefused):
            holds_s = min(claim.period.ends_at - self._clock.now(), self._longest_s)
        else:
            holds_s = refusal.retry_after
        while len(self._known) >= _MOST:
            del self._known[next(iter(self._known))]
        until = self._clock.monotonic() + holds_s
        self._known[claim.user_id] = _Known(claim.period.name, _plan(claim), refusal, until)

    def forget(self, user_id: UserId) -> None:
        self._known.pop(user_id, None)


def _plan(claim: Claim) -> tuple[int, int, int]:
    return (claim.quota_limit, claim.rate_per_minute, claim.burst)
