"""Step 8: what the user's plan entitles to, as the identity that goes upstream."""

from dataclasses import dataclass
from typing import Final

from gateway.accounts.principal import Principal
from gateway.routes.table import Match
from gateway.rules.entitlements import Plan
from gateway.steps.step_05_check_user_status import ActiveUser
from gateway.steps.step_07_check_rate_limit import AdmittedUser
from shared.identity import Identity
from shared.relay.director import Field
from shared.relay.fields import Remembered

_MOST_REMEMBERED: Final = 1024


@dataclass(slots=True, init=False)
class Vouched:
    """A principal under a plan, as its requests are told upstream. `fields` are the five of the identity."""

    principal: Principal
    plan: Plan
    identity: Identity
    fields: list[Field]

    def __init__(self, principal: Principal, plan: Plan) -> None:
        self.principal = principal
        self.plan = plan
        self.identity = Identity(
            user_id=principal.user_id,
            org_id=principal.org_id,
            plan_id=plan.plan_id,
            plan_limits=plan.limits_text,
            key_id=principal.key_id,
        )
        self.fields = [
            (b"X-User-ID", principal.user_id.encode()),
            (b"X-Org-ID", principal.org_id.encode()),
            (b"X-Plan-ID", plan.plan_id.encode()),
            (b"X-Plan-Limits", plan.limits_text.encode()),
            (b"X-Key-ID", principal.key_id.encode()),
        ]


@dataclass(slots=True, init=False)
class Entitled:
    """`admitted` is None on a route that is not billed."""

    vouched: Vouched
    admitted: AdmittedUser | None

    def __init__(self, vouched: Vouched, admitted: AdmittedUser | None) -> None:
        self.vouched = vouched
        self.admitted = admitted

    @property
    def identity(self) -> Identity:
        return self.vouched.identity


def resolve_entitlements(match: Match, cleared: ActiveUser | AdmittedUser) -> Entitled:
    if isinstance(cleared, AdmittedUser):
        principal = cleared.user.principal
        return Entitled(_vouched(principal, cleared.plan), cleared)
    principal = cleared.principal
    return Entitled(_vouched(principal, match.plans.of(principal.plan_id)), None)


_VOUCHED: Final[Remembered[str, Vouched]] = Remembered(_MOST_REMEMBERED)
"""By key id: who asked lately, and will again."""


def _vouched(principal: Principal, plan: Plan) -> Vouched:
    """The remembered one only for this very principal and plan: either is another object as soon as anything about it was read again."""
    vouched = _VOUCHED.find(principal.key_id)
    if vouched is None or vouched.principal is not principal or vouched.plan is not plan:
        vouched = Vouched(principal, plan)
        _VOUCHED.keep(principal.key_id, vouched, vouched.fields)
    return vouched
