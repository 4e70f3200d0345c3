"""Steps 6 to 9, each alone: the claim, its judgement, what the plan entitles to, and the upstream."""

from dataclasses import dataclass, field

import pytest

from gateway.accounts.principal import PlanId
from gateway.counters.admission import Admission, Answer, Unreachable
from gateway.counters.local_counters import LocalCounters
from gateway.counters.port import Admitted, QuotaRefused, RateRefused, Refused, Seed
from gateway.counters.refusals import KnownRefusals
from gateway.counters.seeding import Seeding
from gateway.counters.settlements import Settlements
from gateway.errors import CountersUnavailable, QuotaExceeded, RateLimitExceeded
from gateway.steps.step_05_check_user_status import ActiveUser
from gateway.steps.step_06_check_quota import QuotaClaim, check_quota
from gateway.steps.step_07_check_rate_limit import AdmittedUser, admitted, check_rate_limit
from gateway.steps.step_08_resolve_entitlements import resolve_entitlements
from gateway.steps.step_09_match_route import match_route
from tests.unit.gateway_steps.matching import NOW, PERIOD, REQUEST_ID, claim, match, principal


@dataclass
class FixedClock:
    def now(self) -> float:
        return NOW

    def monotonic(self) -> float:
        return 1000.0


class NothingCharged:
    async def seed(self, user_id: object, period: object) -> Seed:
        return Seed(0, [])


@dataclass
class Desk:
    """Real counters in the process, and what was given back to them."""

    refusals: KnownRefusals = field(default_factory=lambda: KnownRefusals(FixedClock()))
    counters: LocalCounters = field(default_factory=lambda: LocalCounters(FixedClock()))

    @property
    def admission(self) -> Admission:
        settlements = Settlements(self.counters, self.refusals)
        return Admission(self.counters, self.refusals, Seeding(self.counters, NothingCharged()), settlements)

    async def used(self) -> int | None:
        return (await self.counters.look(claim())).used


def not_later(_answer: Answer) -> None:
    raise AssertionError("counters in the process answer at once")


USER = ActiveUser(principal())


def test_step_6_claims_what_the_plan_says_for_this_month() -> None:
    quota = check_quota(match("/bill"), USER, PERIOD, Desk().admission)

    assert quota.claim == claim()
    assert (quota.user, quota.plan.plan_id) == (USER, "free")


@pytest.mark.parametrize(
    ("known", "error"), [(QuotaRefused(10), QuotaExceeded), (RateRefused(3.0), RateLimitExceeded)]
)
def test_step_6_refuses_at_once_what_is_known_to_be_refused(known: Refused, error: type[Exception]) -> None:
    desk = Desk()
    desk.refusals.add(claim(), known)

    with pytest.raises(error):
        check_quota(match("/bill"), USER, PERIOD, desk.admission)


async def test_step_7_takes_quota_and_rate_together_or_nothing() -> None:
    desk = Desk()
    await desk.counters.seed(claim().user_id, PERIOD, Seed(9, []))
    quota = check_quota(match("/bill"), USER, PERIOD, desk.admission)

    first = check_rate_limit(quota, desk.admission, not_later)
    other = QuotaClaim(USER, quota.plan, claim("another"))
    second = check_rate_limit(other, desk.admission, not_later)

    assert first is not None
    assert isinstance(first.outcome, Admitted)
    assert (first.outcome.quota_used, first.outcome.rate_remaining) == (10, 4)
    assert second is not None
    assert second.outcome == QuotaRefused(10)
    assert await desk.used() == 10


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        (QuotaRefused(10), QuotaExceeded),
        (RateRefused(3.0), RateLimitExceeded),
        (Unreachable(was_sent=False), CountersUnavailable),
        (Unreachable(was_sent=True), CountersUnavailable),
    ],
)
def test_step_7_refuses_what_the_counters_refuse_or_cannot_say(
    outcome: Refused | Unreachable, error: type[Exception]
) -> None:
    found = match("/bill")
    desk = Desk()
    quota = QuotaClaim(USER, found.plans.default, claim())

    with pytest.raises(error):
        admitted(found, quota, Answer(claim(), outcome), desk.admission)


@pytest.mark.parametrize(("was_sent", "left"), [(True, 9), (False, 10)])
async def test_step_7_gives_back_what_may_have_been_taken_unseen(*, was_sent: bool, left: int) -> None:
    """A unit was taken for this request; whether that is known to be possible decides."""
    desk = Desk()
    await desk.counters.seed(claim().user_id, PERIOD, Seed(9, [REQUEST_ID]))
    found = match("/bill")
    quota = QuotaClaim(USER, found.plans.default, claim())

    with pytest.raises(CountersUnavailable):
        admitted(found, quota, Answer(claim(), Unreachable(was_sent)), desk.admission)

    assert await desk.used() == left


def test_step_7_lets_an_open_route_through_without_its_counters() -> None:
    found = match("/lenient")
    quota = QuotaClaim(USER, found.plans.default, claim())

    user = admitted(found, quota, Answer(claim(), Unreachable(was_sent=True)), Desk().admission)

    assert (user.claim, user.standing) == (claim(), None)


@pytest.mark.parametrize(
    ("plan", "resolved", "limits"),
    [
        ("free", "free", '"max_deployments":1'),
        ("pro", "pro", '"max_deployments":9'),
        ("a plan that was taken out of the file", "free", '"max_deployments":1'),
    ],
)
def test_step_8_resolves_the_plan_to_limits(plan: str, resolved: str, limits: str) -> None:
    entitled = resolve_entitlements(match("/api"), ActiveUser(principal(plan=plan)))

    identity = entitled.identity
    assert (identity.user_id, identity.org_id, identity.key_id) == ("user_1", "org_1", "sess_1")
    assert identity.plan_id == resolved
    assert limits in identity.plan_limits
    assert entitled.admitted is None


def test_step_8_keeps_the_plan_that_a_billed_request_was_admitted_under() -> None:
    found = match("/bill")
    under = found.plans.of(PlanId("pro"))

    entitled = resolve_entitlements(found, AdmittedUser(USER, under, claim(), None))

    assert entitled.identity.plan_id == "pro"
    assert entitled.admitted is not None


@pytest.mark.parametrize(("target", "upstream"), [("/bill", "hoster"), ("/lenient", "forgetful")])
def test_step_9_binds_the_route_to_its_upstream(target: str, upstream: str) -> None:
    found = match(target)
    entitled = resolve_entitlements(found, USER)

    bound = match_route(found, entitled)

    assert (bound.upstream.name, bound.entitled, bound.match) == (upstream, entitled, found)
    assert match_route(found, None).entitled is None
