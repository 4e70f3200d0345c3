"""From a policy to the text that `nft -f -` takes: our own table, replaced whole in one transaction. Pure.

Rules:
- Loopback, what is established, ICMP (IPv6 does not work without), SSH, the management port and the mesh are never cut.
- A tenant's container reaches no port of this machine but DNS, the mesh and what is opened by name: management, Redis and
  whatever else listens here is none of its business. Neither is the cloud's metadata service.
- `drop` is final whatever other tables say, and `accept` is not: we never open what another firewall closes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, collapse_addresses

from worker.firewall.policy import Network, Policy, Rule

_DNS = 53
_DHCPV6_CLIENT = 546
_LINK_LOCAL_4 = "169.254.0.0/16"
_LINK_LOCAL_6 = "fe80::/10"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What is the same for every policy of this node.

    `bridges` are interface names of tenants' networks, `*` at the end standing for the rest. `isolate` closes this machine's
    ports to them, except `tenant_ports`.
    """

    table: str
    ssh_port: int
    management_port: int
    mesh_port: int
    isolate: bool
    tenant_ports: tuple[int, ...] = ()
    bridges: tuple[str, ...] = ()


def table_name(instance: str) -> str:
    """Two workers on one machine have a table each."""
    return f"plane_{instance[2:10]}"


def is_needed(policy: Policy, ground: Ground) -> bool:
    return ground.isolate or policy.touches_packets()


def removal(table: str) -> str:
    """Also right when there is no such table."""
    return f"table inet {table}\ndelete table inet {table}\n"


def render(policy: Policy, ground: Ground, bridge_of: dict[str, str]) -> str:
    """`bridge_of` names the bridge of each organisation in `policy.tenant_ports`."""
    if not is_needed(policy, ground):
        return removal(ground.table)
    lines = [
        *_always(),
        *(line for rule in policy.rules or () for line in _rule_lines(rule)),
        *_tenant_port_lines(policy, bridge_of),
        f"tcp dport {ground.mesh_port} accept",
        *_isolation(ground),
        f"tcp dport {_set(str(port) for port in (ground.ssh_port, ground.management_port))} accept",
    ]
    verdict = "accept" if policy.rules is None else "drop"
    chains = _chain("input", verdict, lines)
    if ground.isolate:
        chains += _chain("forward", "accept", _metadata(ground.bridges))
    return f"{removal(ground.table)}table inet {ground.table} {{\n{chains}}}\n"


def _always() -> list[str]:
    return [
        'iifname "lo" accept',
        "ct state established,related accept",
        "meta l4proto { icmp, ipv6-icmp } accept",
        f"ip6 saddr {_LINK_LOCAL_6} udp dport {_DHCPV6_CLIENT} accept",
    ]


def _rule_lines(rule: Rule) -> list[str]:
    """One for each family. Collapsed, because nft refuses a set whose members overlap."""
    four = collapse_addresses(source for source in rule.sources if isinstance(source, IPv4Network))
    six = collapse_addresses(source for source in rule.sources if isinstance(source, IPv6Network))
    opened = f"{rule.protocol} dport {rule.port} accept"
    families: tuple[tuple[str, Sequence[Network]], ...] = (("ip", list(four)), ("ip6", list(six)))
    return [
        f"{family} saddr {_set(str(one) for one in found)} {opened}" for family, found in families if found
    ]


def _tenant_port_lines(policy: Policy, bridge_of: dict[str, str]) -> list[str]:
    return [
        f'iifname "{bridge_of[org]}" tcp dport {opened.port} accept'
        for opened in policy.tenant_ports
        for org in opened.orgs
    ]


def _isolation(ground: Ground) -> list[str]:
    if not ground.isolate:
        return []
    lines = []
    for bridge in ground.bridges:
        lines += [f'iifname "{bridge}" {protocol} dport {_DNS} accept' for protocol in ("udp", "tcp")]
        if ground.tenant_ports:
            ports = _set(str(port) for port in ground.tenant_ports)
            lines.append(f'iifname "{bridge}" tcp dport {ports} accept')
        lines.append(f'iifname "{bridge}" drop')
    return lines


def _metadata(bridges: Iterable[str]) -> list[str]:
    return [f'iifname "{bridge}" ip daddr {_LINK_LOCAL_4} drop' for bridge in bridges]


def _set(members: Iterable[str]) -> str:
    return f"{{ {', '.join(sorted(set(members)))} }}"


def _chain(hook: str, verdict: str, lines: Iterable[str]) -> str:
    body = "".join(f"    {line}\n" for line in lines)
    return f"  chain {hook} {{\n    type filter hook {hook} priority filter; policy {verdict};\n{body}  }}\n"
