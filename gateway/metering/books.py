"""The books on usage: what a user has used, and what of it counts against the quota."""

from collections.abc import Callable, Sequence
from typing import Protocol

from gateway.accounts.principal import PlanId, UserId
from gateway.counters.port import Claim, Counters, Seed
from gateway.errors import CountersUnavailable
from gateway.metering.ledger import Ledger
from gateway.metering.usage import QuotaUse, RateUse, UsageEvent, UsageTotal
from gateway.rules.entitlements import Plan, Plans
from gateway.rules.period import Period, period_at
from shared.clock import Clock


class OpenRequests(Protocol):
    def open_ids(self, user_id: UserId, period_name: str) -> list[str]:
        """Requests of that user and month that count, and have no outcome yet."""


class Shipping(Protocol):
    async def ship(self) -> None:
        """Everything that has ended before this call is in the ledger when it returns."""


class Books:
    """Answers from the ledger after shipping what is still in the journals, so that what was answered is included."""

    def __init__(
        self,
        journal: OpenRequests,
        ledger: Ledger,
        shipper: Shipping,
        counters: Counters,
        plans: Callable[[], Plans],
        clock: Clock,
    ) -> None:
        self._journal = journal
        self._ledger = ledger
        self._shipper = shipper
        self._counters = counters
        self._plans = plans
        self._clock = clock

    async def totals(self, user_id: UserId, period: str) -> Sequence[UsageTotal]:
        await self._shipper.ship()
        return await self._ledger.totals(user_id, period)

    async def events(
        self, user_id: UserId | None, limit: int, cursor: str | None
    ) -> tuple[Sequence[UsageEvent], str | None]:
        await self._shipper.ship()
        return await self._ledger.events(user_id, limit, cursor)

    async def quota(self, user_id: UserId, plan_id: PlanId) -> QuotaUse:
        """Where the counters do not answer, or have forgotten, the ledger tells the same, at more cost."""
        plan = self._plans().of(plan_id)
        claim = self._claim(user_id, plan)
        used = await self._counted(claim)
        if used is None:
            seed = await self.seed(user_id, claim.period)
            used = seed.used + len(seed.open_ids)
        return quota_use(plan.requests_per_month, used, claim.period.ends_at)

    async def rate(self, user_id: UserId, plan_id: PlanId) -> RateUse:
        plan = self._plans().of(plan_id)
        standing = await self._counters.look(self._claim(user_id, plan))
        resets_at = self._clock.now() + standing.rate_resets_in
        return RateUse(plan.rate_per_minute, plan.burst, standing.rate_remaining, resets_at)

    async def seed(self, user_id: UserId, period: Period) -> Seed:
        """What a counter that is not there has to start from.

        The open requests are noted before anything is read, and those that the ledger has by then are taken out by the statement
        that counts: whatever ends in between is counted once.
        """
        # First of all, so that what relay processes have begun is known here.
        await self._shipper.ship()
        noted = self._journal.open_ids(user_id, period.name)
        await self._shipper.ship()
        used, recorded = await self._ledger.charged(user_id, period.name, noted)
        return Seed(used, [request_id for request_id in noted if request_id not in recorded])

    async def _counted(self, claim: Claim) -> int | None:
        try:
            return (await self._counters.look(claim)).used
        except CountersUnavailable:
            return None

    def _claim(self, user_id: UserId, plan: Plan) -> Claim:
        return Claim(
            request_id="",
            user_id=user_id,
            period=period_at(self._clock.now()),
            quota_limit=plan.requests_per_month,
            rate_per_minute=plan.rate_per_minute,
            burst=plan.burst,
        )


def quota_use(limit: int, used: int, resets_at: float) -> QuotaUse:
    return QuotaUse(limit, used, remaining(limit, used), resets_at)


def remaining(limit: int, used: int) -> int:
    """-1 for unlimited."""
    return -1 if limit < 0 else max(0, limit - used)
