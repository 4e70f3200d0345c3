"""Who a request acts for, once APIGate's signature has been verified."""

from dataclasses import dataclass

from aiohttp import web

from hoster.deployments.limits import PlanLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """`request_id` is APIGate's: it names the operation in its ledger and in ours."""

    user_id: str
    org_id: str
    plan_id: str
    limits: PlanLimits
    request_id: str


VIEWER = web.RequestKey("viewer", Viewer)
