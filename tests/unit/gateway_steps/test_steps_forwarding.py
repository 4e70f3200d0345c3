"""Steps 10 to 12, each alone: the fields, the target and the signed request that go upstream."""

from dataclasses import replace

import pytest

from gateway.accounts.principal import PlanId, Principal, UserId
from gateway.errors import RewriteFailed
from gateway.routes.table import Match
from gateway.rules.client_address import TrustedProxies, parse_networks
from gateway.rules.entitlements import Plans
from gateway.steps.step_05_check_user_status import ActiveUser
from gateway.steps.step_08_resolve_entitlements import resolve_entitlements
from gateway.steps.step_09_match_route import match_route
from gateway.steps.step_10_transform_request import transform_request
from gateway.steps.step_11_rewrite_path import rewrite_path
from gateway.steps.step_12_forward_upstream import Signer, forward_upstream
from shared import identity
from shared.config import Secret
from shared.relay.director import Field, OngoingAnswer, Outcome, ResponseHead
from shared.relay.fields import standing_lines
from tests.unit.gateway_steps.matching import NOW, REQUEST_ID, bound, match, principal

NOBODY = TrustedProxies(())
SECRET = b"a-secret-of-at-least-32-bytes-here"


class FixedClock:
    def now(self) -> float:
        return NOW

    def monotonic(self) -> float:
        return 1000.0


class NoExchange:
    def response_fields(self, head: ResponseHead) -> list[Field]:
        return head.fields

    def fault_fields(self) -> list[Field]:
        return []

    def goes_on(self, answer: OngoingAnswer) -> None:
        """As below."""

    def finished(self, outcome: Outcome) -> None:
        """Nothing is sent here."""


def sent(
    *fields: Field, target: str = "/api", peer: str = "192.0.2.7", trusted: str = ""
) -> dict[str, list[str]]:
    transformed = transform_request(
        bound(match(target, *fields, peer=peer)), TrustedProxies(parse_networks(trusted))
    )
    found: dict[str, list[str]] = {}
    for name, value in transformed.fields:
        found.setdefault(name.decode().lower(), []).append(value.decode())
    return found


@pytest.mark.parametrize(
    "name", ["Authorization", "X-API-Key", "x_user_id", "X.Org.Id", "X-PLAN-limits", "x-identity_signature"]
)
def test_step_10_takes_credentials_and_managed_names_out_in_every_spelling(name: str) -> None:
    assert "forged" not in str(sent((name.encode(), b"forged")))


def test_step_10_adds_who_asks_the_way_here_and_the_request_id() -> None:
    found = sent((b"Accept", b"a"), (b"Accept", b"b"), (b"X-Request-ID", b"mine"))

    assert found["accept"] == ["a", "b"]
    assert (found["x-user-id"], found["x-key-id"]) == (["user_1"], ["sess_1"])
    assert (found["x-request-id"], found["x-client-request-id"]) == ([REQUEST_ID], ["mine"])
    assert (found["x-forwarded-for"], found["x-forwarded-host"]) == (["192.0.2.7"], ["gate.example"])
    assert found["via"] == ["1.1 apigate"]


@pytest.mark.parametrize(("trusted", "hops"), [("", "10.0.0.1"), ("10.0.0.0/8", "203.0.113.9, 10.0.0.1")])
def test_step_10_continues_what_a_trusted_proxy_said_and_begins_anew_from_others(
    trusted: str, hops: str
) -> None:
    found = sent((b"X-Forwarded-For", b"203.0.113.9"), peer="10.0.0.1", trusted=trusted)

    assert found["x-forwarded-for"] == [hops]


def test_step_10_applies_the_routes_own_edits() -> None:
    found = sent((b"X-Unwanted", b"1"), (b"x-who", b"somebody"), target="/old/7")

    assert "x-unwanted" not in found
    assert found["x-who"] == ["user_1"]


@pytest.mark.parametrize(
    ("target", "rewritten"),
    [
        ("/api//x/%7Ey?a=1&api_key=k&b=%2F", "/api/x/~y?a=1&b=%2F"),
        ("/old/7?q=1", "/new/7?q=1"),
        ("/old/a%3Fb", "/new/a%3Fb"),
        ("/api?", "/api?"),
    ],
)
def test_step_11_sends_the_canonical_path_or_what_the_route_makes_of_it(target: str, rewritten: str) -> None:
    assert rewrite_path(transform_request(bound(match(target)), NOBODY)).target == rewritten


def test_step_11_refuses_a_rewrite_that_leaves_the_root() -> None:
    with pytest.raises(RewriteFailed):
        rewrite_path(transform_request(bound(match("/leaving")), NOBODY))


def test_step_12_signs_what_is_sent_over_the_target_as_it_is_sent() -> None:
    found = bound(match("/old/7?q=1", method="POST"))
    rewritten = rewrite_path(transform_request(found, NOBODY))

    forward = forward_upstream(rewritten, Signer(Secret(SECRET), FixedClock()), NoExchange())

    assert (forward.target, forward.host, forward.max_body) == ("/new/7?q=1", "gate.example", 1024)
    assert forward.upstream is found.upstream.spec
    signature = dict(forward.fields)[b"X-Identity-Signature"].decode()
    assert found.entitled is not None
    who = found.entitled.identity
    for target, holds in (("/new/7?q=1", True), ("/old/7?q=1", False)):
        request = identity.SignedRequest("POST", target, REQUEST_ID)
        assert (identity.sign(SECRET, who, request, int(NOW)) == signature) is holds


def test_what_is_remembered_of_a_user_holds_for_that_user_and_plan_as_they_are_now_alone() -> None:
    found = match("/api")
    whose = principal()

    def told(table: Plans, who: Principal = whose) -> list[Field]:
        of = Match(found.head, found.target, found.route, {}, table)
        entitled = resolve_entitlements(of, ActiveUser(who))
        return transform_request(match_route(of, entitled), NOBODY).fields[-5:]

    free, pro = found.plans.of(PlanId("free")), found.plans.of(PlanId("pro"))
    reloaded = replace(free, limits_text='{"max_deployments":2}')

    before = told(Plans({free.plan_id: free}, free))
    assert told(Plans({free.plan_id: free}, free)) == before
    assert dict(told(Plans({free.plan_id: reloaded}, reloaded)))[b"X-Plan-Limits"] == b'{"max_deployments":2}'
    upgraded = dict(told(Plans({pro.plan_id: pro}, free), principal(plan="pro")))
    assert upgraded[b"X-Plan-ID"] == b"pro"
    assert told(Plans({free.plan_id: free}, free)) == before


def test_many_users_and_hosts_are_each_told_right_and_little_of_them_is_kept() -> None:
    found = match("/api")
    for number in range(3000):
        found.head.host = f"host-{number}"
        whose = replace(principal(), user_id=UserId(f"user_{number}"), key_id=f"sess_{number}")
        bound_ = match_route(found, resolve_entitlements(found, ActiveUser(whose)))
        fields = dict(transform_request(bound_, NOBODY).fields)
        assert fields[b"X-User-ID"] == f"user_{number}".encode()
        assert fields[b"X-Key-ID"] == f"sess_{number}".encode()
        assert fields[b"X-Forwarded-Host"] == f"host-{number}".encode()
    assert standing_lines() < 8_000
