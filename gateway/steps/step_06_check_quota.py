"""Step 6: claim a unit of the month's quota.

The counters judge quota and rate together (step 7), in one round trip. Here the claim is made, and refused at once when a
refusal is known that still holds.
"""

from dataclasses import dataclass

from gateway.counters.admission import Admission
from gateway.counters.port import Claim, QuotaRefused, RateRefused, Refused
from gateway.errors import QuotaExceeded, RateLimitExceeded
from gateway.routes.table import Match
from gateway.rules.entitlements import Plan
from gateway.rules.period import Period
from gateway.steps.step_05_check_user_status import ActiveUser


@dataclass(slots=True, init=False)
class QuotaClaim:
    user: ActiveUser
    plan: Plan
    claim: Claim

    def __init__(self, user: ActiveUser, plan: Plan, claim: Claim) -> None:
        self.user = user
        self.plan = plan
        self.claim = claim


def check_quota(match: Match, user: ActiveUser, period: Period, admission: Admission) -> QuotaClaim:
    """Raises QuotaExceeded, RateLimitExceeded."""
    plan = match.plans.of(user.principal.plan_id)
    claim = Claim(
        request_id=match.head.request_id,
        user_id=user.principal.user_id,
        period=period,
        quota_limit=plan.requests_per_month,
        rate_per_minute=plan.rate_per_minute,
        burst=plan.burst,
    )
    known = admission.known_refusal(claim)
    if known is not None:
        raise refusal(claim, known)
    return QuotaClaim(user, plan, claim)


def refusal(claim: Claim, refused: Refused) -> QuotaExceeded | RateLimitExceeded:
    match refused:
        case QuotaRefused():
            return QuotaExceeded(claim.quota_limit, refused.used, claim.period.ends_at)
        case RateRefused():
            return RateLimitExceeded(claim.rate_per_minute, refused.retry_after)
