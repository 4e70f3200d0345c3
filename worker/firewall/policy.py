"""What a firewall is to allow, as a value. Pure.

Rules:
- `rules` None leaves every port as the machine has it; a list (also an empty one) closes every port that is not in it.
- A grant is bound to the organisation that owned the project when it was given, so that a later project of the same name has none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

Network = IPv4Network | IPv6Network


class Protocol(StrEnum):
    TCP = "tcp"
    UDP = "udp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`port` of this machine is open to `sources`."""

    port: int
    protocol: Protocol
    sources: tuple[Network, ...]


@dataclass(frozen=True, slots=True)
class TenantPort:
    """TCP `port` of this machine is open to the containers of these organisations."""

    port: int
    orgs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Grant:
    """`orgs` may use the project through the mesh as if it were theirs."""

    project_id: str
    owner: str
    orgs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    rules: tuple[Rule, ...] | None = None
    tenant_ports: tuple[TenantPort, ...] = ()
    grants: tuple[Grant, ...] = ()

    def touches_packets(self) -> bool:
        return self.rules is not None or bool(self.tenant_ports)

    def to_json(self) -> dict[str, Any]:
        return {
            "rules": None if self.rules is None else [_rule_json(rule) for rule in self.rules],
            "tenant_ports": [{"port": one.port, "orgs": list(one.orgs)} for one in self.tenant_ports],
            "grants": [
                {"project_id": one.project_id, "owner": one.owner, "orgs": list(one.orgs)}
                for one in self.grants
            ],
        }

    @classmethod
    def from_json(cls, members: Mapping[str, Any]) -> "Policy":
        """What `to_json` wrote."""
        rules = members["rules"]
        return cls(
            rules=None if rules is None else tuple(_rule_from(rule) for rule in rules),
            tenant_ports=tuple(
                TenantPort(one["port"], tuple(one["orgs"])) for one in members["tenant_ports"]
            ),
            grants=tuple(
                Grant(one["project_id"], one["owner"], tuple(one["orgs"])) for one in members["grants"]
            ),
        )


def _rule_json(rule: Rule) -> dict[str, Any]:
    return {
        "port": rule.port,
        "protocol": rule.protocol.value,
        "sources": [str(source) for source in rule.sources],
    }


def _rule_from(members: Mapping[str, Any]) -> Rule:
    return Rule(
        port=members["port"],
        protocol=Protocol(members["protocol"]),
        sources=tuple(ip_network(source) for source in members["sources"]),
    )
