"""Counters in this process, for a gateway without Redis: the same rules, exact because one thread runs them."""

from dataclasses import dataclass, field
from typing import Final

from gateway.accounts.principal import UserId
from gateway.counters.port import (
    Admitted,
    Claim,
    CountersState,
    OnVerdict,
    OtherPeriod,
    QuotaRefused,
    RateRefused,
    Seed,
    Settlement,
    SettlementKind,
    Standing,
    Unseeded,
    Verdict,
    Withdrawn,
    standing,
)
from gateway.rules.period import Period
from shared.clock import Clock

_MOST_CELLS: Final = 100_000
_RELEASED: Final = False
_HELD: Final = True


@dataclass(slots=True)
class _Quota:
    used: int
    open: dict[str, bool] = field(default_factory=dict)
    """By request id: held, or released (so that releasing again changes nothing)."""


class LocalCounters:
    """What is dropped to stay in bounds is seeded again from the ledger."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._period_name = ""
        self._arrivals: dict[UserId, int] = {}
        self._quotas: dict[tuple[UserId, str], _Quota] = {}
        self._released_unseeded: dict[tuple[UserId, str], set[str]] = {}

    @property
    def state(self) -> CountersState:
        return CountersState.LOCAL

    def reserve(self, claim: Claim, _then: OnVerdict) -> Verdict:
        now = int(self._clock.now() * 1_000_000)
        if not claim.period.starts_at <= now // 1_000_000 < claim.period.ends_at:
            return OtherPeriod(now // 1_000_000)
        quota = self._quotas.get((claim.user_id, claim.period.name))
        if quota is None:
            return Unseeded()
        if 0 <= claim.quota_limit <= quota.used:
            return QuotaRefused(quota.used)
        next_arrival = max(now, self._arrivals.get(claim.user_id, 0)) + claim.emission_us
        allowed_at = next_arrival - claim.emission_us * claim.burst
        if allowed_at > now:
            return RateRefused((allowed_at - now) / 1e6)
        if claim.request_id in quota.open:
            return Withdrawn()
        quota.open[claim.request_id] = _HELD
        quota.used += 1
        self._arrivals[claim.user_id] = next_arrival
        self._drop_what_is_over(claim.period.name, now)
        return Admitted(quota.used, (now - allowed_at) // claim.emission_us, (next_arrival - now) / 1e6)

    def settle(self, settlement: Settlement) -> None:
        key = (settlement.user_id, settlement.period_name)
        quota = self._quotas.get(key)
        if quota is None:
            if settlement.kind is SettlementKind.RELEASE:
                self._released_unseeded.setdefault(key, set()).add(settlement.request_id)
            return
        held = quota.open.get(settlement.request_id)
        if settlement.kind is SettlementKind.RELEASE:
            quota.used -= held is _HELD
            quota.open[settlement.request_id] = _RELEASED
        elif held is None:
            quota.used += 1
            quota.open[settlement.request_id] = _HELD

    def forget(self, user_id: UserId, period_name: str, request_id: str) -> None:
        quota = self._quotas.get((user_id, period_name))
        if quota is not None:
            quota.open.pop(request_id, None)

    async def seed(self, user_id: UserId, period: Period, seed: Seed) -> None:
        key = (user_id, period.name)
        if key not in self._quotas:
            released = self._released_unseeded.pop(key, set())
            opened = {request_id: request_id not in released for request_id in seed.open_ids}
            self._quotas[key] = _Quota(seed.used + sum(opened.values()), opened)

    async def look(self, claim: Claim) -> Standing:
        quota = self._quotas.get((claim.user_id, claim.period.name))
        now = int(self._clock.now() * 1_000_000)
        ahead = max(0, self._arrivals.get(claim.user_id, 0) - now)
        return standing(used=None if quota is None else quota.used, ahead_us=ahead, claim=claim)

    def _drop_what_is_over(self, period_name: str, now: int) -> None:
        if period_name != self._period_name:
            recent = {period_name, self._period_name}
            self._quotas = {key: quota for key, quota in self._quotas.items() if key[1] in recent}
            self._released_unseeded.clear()
            self._period_name = period_name
        if len(self._arrivals) > _MOST_CELLS:
            self._arrivals = {user: arrival for user, arrival in self._arrivals.items() if arrival > now}
