"""The usage event, and the views on it that `/mod/usage` shows. The seam between metering and the API."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.accounts.principal import OrgId, PlanId, UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageEvent:
    """One billable request that reached the upstream. `id` is the request id; `created_at` is Unix seconds."""

    id: str
    user_id: UserId
    org_id: OrgId
    key_id: str
    plan_id: PlanId
    route: str
    method: str
    path: str
    status: int
    event_type: str | None
    cost: float
    latency_ms: float
    request_bytes: int
    response_bytes: int
    created_at: float


@dataclass(frozen=True, slots=True)
class UsageTotal:
    event_type: str | None
    count: int
    cost: float


@dataclass(frozen=True, slots=True)
class QuotaUse:
    """`limit` is -1 for unlimited; `remaining` is then -1 too. `resets_at` is Unix seconds."""

    limit: int
    used: int
    remaining: int
    resets_at: float


@dataclass(frozen=True, slots=True)
class RateUse:
    limit: int
    burst: int
    remaining: int
    resets_at: float


class UsageBooks(Protocol):
    """What the API may ask. Everything that was answered to a client is included, shipped or not."""

    async def totals(self, user_id: UserId, period: str) -> Sequence[UsageTotal]:
        """`period` is a calendar month in UTC, `2026-11`."""

    async def events(
        self, user_id: UserId | None, limit: int, cursor: str | None
    ) -> tuple[Sequence[UsageEvent], str | None]:
        """Newest first; None for every user. Raises ValueError for a cursor that is not ours."""

    async def quota(self, user_id: UserId, plan_id: PlanId) -> QuotaUse:
        """Of the current month, also without counters."""

    async def rate(self, user_id: UserId, plan_id: PlanId) -> RateUse:
        """Raises CountersUnavailable."""
