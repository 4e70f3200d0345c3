"""A request that has met its route: what every step begins with."""

from gateway.accounts.principal import OrgId, PlanId, Principal, Role, UserId, UserStatus
from gateway.counters.port import Admitted, Claim
from gateway.routes.compiling import load_table
from gateway.routes.table import Match
from gateway.rules.canonical_target import canonical_target
from gateway.rules.period import period_at
from gateway.steps.step_05_check_user_status import ActiveUser
from gateway.steps.step_07_check_rate_limit import AdmittedUser
from gateway.steps.step_08_resolve_entitlements import resolve_entitlements
from gateway.steps.step_09_match_route import Bound, match_route
from shared.relay.director import Field, Peer, RequestHead

NOW = 1_795_000_000.0
PERIOD = period_at(NOW)
REQUEST_ID = "01991234-aaaa-7bbb-8ccc-123456789abc"
ROUTES = """
version: 1
default_plan: free
plans:
  free: {requests_per_month: 10, rate_per_minute: 60, burst: 5,
         limits: {max_deployments: 1, max_cpu_cores: 1, max_memory_mb: 1024, max_disk_mb: 5120, allowed_capabilities: [gpu]}}
  pro: {requests_per_month: -1, rate_per_minute: 600, burst: 50,
        limits: {max_deployments: 9, max_cpu_cores: 8, max_memory_mb: 8192, max_disk_mb: 9999}}
upstreams:
  hoster: {targets: ["http://127.0.0.1:1"], reconcile: "/internal/operations/{request_id}"}
  forgetful: {targets: ["http://127.0.0.1:2"]}
routes:
  - {name: closed, path: "/bill*", priority: 9, auth_required: true, billing: true, upstream: hoster,
     metering_expr: "status < 400 ? 2.5 : 0.0"}
  - {name: lenient, path: "/lenient*", priority: 9, auth_required: true, billing: true, upstream: forgetful,
     on_counters_failure: open, metering_expr: "params.nothing"}
  - {name: edited, match: regex, path: "/old/(?P<id>[^/]+)", priority: 8, auth_required: true, upstream: hoster,
     path_rewrite: "'/new/' + params.id", max_body: 1KiB,
     request_headers: {set: {X-Who: "user_id"}, remove: [X-Unwanted]},
     response_headers: {set: {X-Status: "status", X-Bad: "params.nothing"}, remove: [Server]}}
  - {name: leaving, path: "/leaving", priority: 8, auth_required: false, upstream: hoster, path_rewrite: "'/../..'"}
  - {name: api, path: "/*", auth_required: true, upstream: hoster}
"""
TABLE = load_table(ROUTES, {})


def match(target: str = "/api", *fields: Field, method: str = "GET", peer: str = "192.0.2.7") -> Match:
    head = RequestHead(
        request_id=REQUEST_ID,
        method=method,
        target=target,
        host="gate.example",
        http11=True,
        fields=list(fields),
        peer=Peer(peer, 1234),
        content_length=0,
        websocket=False,
    )
    return TABLE.match(head, canonical_target(target))


def principal(status: UserStatus = UserStatus.ACTIVE, plan: str = "free") -> Principal:
    return Principal(
        user_id=UserId("user_1"),
        org_id=OrgId("org_1"),
        plan_id=PlanId(plan),
        key_id="sess_1",
        role=Role.USER,
        status=status,
    )


def claim(request_id: str = REQUEST_ID) -> Claim:
    return Claim(
        request_id=request_id,
        user_id=UserId("user_1"),
        period=PERIOD,
        quota_limit=10,
        rate_per_minute=60,
        burst=5,
    )


def bound(found: Match, standing: Admitted | None = None) -> Bound:
    """`standing` makes it a billed one."""
    user = ActiveUser(principal())
    if standing is None:
        return match_route(found, resolve_entitlements(found, user))
    plan = found.plans.of(user.principal.plan_id)
    return match_route(found, resolve_entitlements(found, AdmittedUser(user, plan, claim(), standing)))
