"""What is charged for an operation of which only the upstream's word is known."""

import json

import pytest

from gateway.accounts.principal import OrgId, PlanId, UserId
from gateway.metering.inquiry import Performed
from gateway.metering.performed_price import PerformedPrice
from gateway.metering.records import Intent
from gateway.routes.compiling import load_table

ROUTES = """
version: 1
default_plan: free
plans: {{free: {{requests_per_month: 9, rate_per_minute: 9, burst: 9, limits: {{max_deployments: 1, max_cpu_cores: 1, max_memory_mb: 1,
                max_disk_mb: 1, allowed_capabilities: []}}}}}}
upstreams: {{hoster: {{targets: ["http://127.0.0.1:1"]}}}}
routes:
  - {{name: billing, match: regex, path: "^/api/(?P<kind>[a-z]+)$", auth_required: true, billing: true, upstream: hoster,
     metering_expr: {expression}}}
"""
INTENT = Intent(
    id="r", user_id=UserId("u"), org_id=OrgId("o"), key_id="k", plan_id=PlanId("free"), route="billing", upstream="hoster",
    method="DELETE", path="/api/volumes", period_name="2026-11", counted=True, created_at=0.0,
)  # fmt: skip


@pytest.mark.parametrize(
    ("expression", "cost"),
    [
        ("status < 400 && 'x-event-type' in response_headers ? 1.0 : 0.0", 1.0),
        ("response_headers['x-event-type'] == 'volume.deleted' ? 2.5 : 9.0", 2.5),
        ("method == 'DELETE' && status == 202 ? 3.0 : 9.0", 3.0),
        ("params['kind'] == 'volumes' ? 4.0 : 9.0", 4.0),
        (
            "request_headers['x-size'] == 'big' ? 9.0 : 5.0",
            1.0,
        ),  # nobody knows any more: a failing expression costs 1.0
    ],
)
def test_the_route_prices_what_the_upstream_says_it_did(expression: str, cost: float) -> None:
    table = load_table(ROUTES.format(expression=json.dumps(expression)), {})
    price = PerformedPrice({route.name: route for route in table.routes}.get)

    assert price.of(INTENT, Performed("volume.deleted", 202)) == cost


def test_without_an_event_type_or_a_route_it_costs_one() -> None:
    table = load_table(ROUTES.format(expression='"0.0"'), {})
    of_route = PerformedPrice({route.name: route for route in table.routes}.get)

    assert of_route.of(INTENT, Performed(None, 202)) == 1.0
    assert of_route.of(INTENT, Performed("volume.deleted", None)) == 0.0
    assert PerformedPrice(lambda _: None).of(INTENT, Performed("volume.deleted", 202)) == 1.0
