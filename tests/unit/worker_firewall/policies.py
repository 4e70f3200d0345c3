"""Policies of every shape, for properties that hold for all of them."""

import string
from ipaddress import ip_network

from hypothesis import strategies as st

from worker.firewall.policy import Grant, Policy, Protocol, Rule, TenantPort
from worker.firewall.ruleset import Ground

GROUND = Ground(
    table="plane_0a1b2c3d",
    ssh_port=2222,
    management_port=8081,
    mesh_port=8090,
    isolate=True,
    bridges=("pl0a1b2c*",),
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
