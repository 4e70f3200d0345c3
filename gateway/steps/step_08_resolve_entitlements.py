"""Step 8: what the user's plan entitles to, as the identity that goes upstream."""

from dataclasses import dataclass

from gateway.routes.table import Match
from gateway.steps.step_05_check_user_status import ActiveUser
from gateway.steps.step_07_check_rate_limit import AdmittedUser
from shared.identity import Identity


@dataclass(slots=True, init=False)
class Entitled:
    """`admitted` is None on a route that is not billed."""

    identity: Identity
    admitted: AdmittedUser | None

    def __init__(self, identity: Identity, admitted: AdmittedUser | None) -> None:
        self.identity = identity
        self.admitted = admitted


def resolve_entitlements(match: Match, cleared: ActiveUser | AdmittedUser) -> Entitled:
    if isinstance(cleared, AdmittedUser):
        admitted, principal, plan = cleared, cleared.user.principal, cleared.plan
    else:
        admitted, principal = None, cleared.principal
        plan = match.plans.of(principal.plan_id)
    identity = Identity(
        user_id=principal.user_id,
        org_id=principal.org_id,
        plan_id=plan.plan_id,
        plan_limits=plan.limits_text,
        key_id=principal.key_id,
    )
    return Entitled(identity, admitted)
