"""The text that nft gets, and the policy that outlives a restart."""

import json
import string
from ipaddress import ip_network

from hypothesis import given
from hypothesis import strategies as st

from worker.firewall.policy import Grant, Policy, Protocol, Rule, TenantPort
from worker.firewall.ruleset import Ground, removal, render

GROUND = Ground(
    table="plane_0a1b2c3d",
    ssh_port=2222,
    management_port=8081,
    mesh_port=8090,
    isolate=True,
    bridges=("pl0a1b2c*",),
)
NO_ISOLATION = Ground(
    table="plane_0a1b2c3d", ssh_port=22, management_port=8081, mesh_port=8090, isolate=False
)
ids = st.text(string.ascii_lowercase, min_size=1, max_size=8)
networks = st.sampled_from(["0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "::/0", "2001:db8::/32"]).map(
    ip_network
)
rules = st.builds(
    Rule,
    port=st.integers(1, 65535),
    protocol=st.sampled_from(Protocol),
    sources=st.lists(networks, min_size=1, max_size=4).map(tuple),
)
policies = st.builds(
    Policy,
    rules=st.none() | st.lists(rules, max_size=3).map(tuple),
    tenant_ports=st.lists(
        st.builds(TenantPort, st.integers(1, 65535), st.lists(ids).map(tuple)), max_size=2
    ).map(tuple),
    grants=st.lists(st.builds(Grant, ids, ids, st.lists(ids).map(tuple)), max_size=2).map(tuple),
)


@given(policies)
def test_a_policy_survives_being_written_down(policy: Policy) -> None:
    assert Policy.from_json(json.loads(json.dumps(policy.to_json()))) == policy


@given(policies)
def test_the_node_stays_manageable_under_every_policy(policy: Policy) -> None:
    bridge_of = {org: "pl0a1b2cxxxxxxx" for one in policy.tenant_ports for org in one.orgs}
    lines = [line.strip() for line in render(policy, GROUND, bridge_of).splitlines()]

    for needed in (
        'iifname "lo" accept',
        "ct state established,related accept",
        "tcp dport 8090 accept",
        "tcp dport { 2222, 8081 } accept",
    ):
        assert needed in lines


def test_tenants_are_cut_off_before_the_management_port_is_opened_to_everybody() -> None:
    text = render(Policy(), GROUND, {})

    assert text.index('iifname "pl0a1b2c*" drop') < text.index("tcp dport { 2222, 8081 } accept")
    assert text.index("tcp dport 8090 accept") < text.index('iifname "pl0a1b2c*" drop')


def test_sources_that_contain_each_other_become_one() -> None:
    rule = Rule(
        port=80,
        protocol=Protocol.TCP,
        sources=tuple(ip_network(text) for text in ("10.1.0.0/16", "10.0.0.0/8", "2001:db8::/32")),
    )

    text = render(Policy(rules=(rule,)), GROUND, {})

    assert "ip saddr { 10.0.0.0/8 } tcp dport 80 accept" in text
    assert "ip6 saddr { 2001:db8::/32 } tcp dport 80 accept" in text


def test_a_node_that_enforces_nothing_has_no_table() -> None:
    grants = (Grant("site", "org_a", ("org_b",)),)

    assert render(Policy(grants=grants), NO_ISOLATION, {}) == removal("plane_0a1b2c3d")
    assert "policy drop" in render(Policy(rules=()), NO_ISOLATION, {})
