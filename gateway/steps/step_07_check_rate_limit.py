"""Step 7: let the counters judge quota and rate, in one step that takes both or nothing."""

from dataclasses import dataclass

from gateway.counters.admission import Admission, Answer, Then, Unreachable
from gateway.counters.port import Admitted, Claim, QuotaRefused, RateRefused
from gateway.errors import CountersUnavailable
from gateway.routes.table import Match
from gateway.rules.entitlements import Plan
from gateway.steps.step_05_check_user_status import ActiveUser
from gateway.steps.step_06_check_quota import QuotaClaim, refusal


@dataclass(slots=True, init=False)
class AdmittedUser:
    """`standing` is None when the route admits without its counters and they were out of reach."""

    user: ActiveUser
    plan: Plan
    claim: Claim
    standing: Admitted | None

    def __init__(self, user: ActiveUser, plan: Plan, claim: Claim, standing: Admitted | None) -> None:
        self.user = user
        self.plan = plan
        self.claim = claim
        self.standing = standing


def check_rate_limit(quota: QuotaClaim, admission: Admission, then: Then) -> Answer | None:
    """The answer, or None when `then` will be called with it."""
    return admission.admit(quota.claim, then)


def admitted(match: Match, quota: QuotaClaim, answer: Answer, admission: Admission) -> AdmittedUser:
    """Raises QuotaExceeded, RateLimitExceeded, CountersUnavailable.

    Failure policy, `on_counters_failure`: closed refuses, and gives back what may have been taken unseen; open lets the request
    through, and it is counted when it has ended.
    """
    match answer.outcome:
        case Admitted():
            return AdmittedUser(quota.user, quota.plan, answer.claim, answer.outcome)
        case QuotaRefused() | RateRefused():
            raise refusal(answer.claim, answer.outcome)
        case Unreachable():
            if match.route.admits_without_counters:
                return AdmittedUser(quota.user, quota.plan, answer.claim, None)
            if answer.outcome.was_sent:
                admission.give_back(answer.claim)
            raise CountersUnavailable
