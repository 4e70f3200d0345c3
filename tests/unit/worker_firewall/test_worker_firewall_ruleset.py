"""The text that nft gets, and the policy that outlives a restart."""

import json
from ipaddress import ip_network

import pytest
from hypothesis import given

from shared.config import ConfigInvalid
from tests.unit.worker_firewall.policies import GROUND, policies
from worker.config import Config
from worker.firewall.policy import Grant, Policy, Protocol, Rule
from worker.firewall.ruleset import Ground, removal, render

NO_ISOLATION = Ground(
    table="plane_0a1b2c3d", ssh_port=22, management_port=8081, mesh_port=8090, isolate=False
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


def test_faults_in_the_variables_of_firewall_and_mesh_are_told_together() -> None:
    with pytest.raises(ConfigInvalid) as raised:
        Config.from_env(
            {
                "WORKER_TENANT_PORTS": "80,http",
                "WORKER_ISOLATE_HOST": "yes",
                "MESH_ADVERTISE_IP": "node-1",
                "REDIS_URL": "http://localhost",
            }
        )

    assert [fault.split()[0] for fault in sorted(raised.value.faults)] == [
        "MESH_ADVERTISE_IP",
        "REDIS_URL",
        "WORKER_ISOLATE_HOST",
        "WORKER_TENANT_PORTS",
    ]
    config = Config.from_env({"WORKER_TENANT_PORTS": "443, 80"})
    assert (config.isolate_host, config.tenant_ports, config.ssh_port) == (True, (80, 443), 22)
