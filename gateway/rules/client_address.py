"""Who the client is when proxies stand in between: `X-Forwarded-For` walked from the right.

Only the addresses that trusted proxies themselves added can be believed; the leftmost is whatever the client wrote.
"""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network


def parse_networks(text: str) -> tuple[Network, ...]:
    """Comma-separated CIDRs; raises ValueError naming the wrong one."""
    return tuple(ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip())


class TrustedProxies:
    def __init__(self, networks: Sequence[Network]) -> None:
        self._networks = tuple(networks)
        self._believes = lru_cache(maxsize=4096)(self._is_inside)

    def believes(self, host: str) -> bool:
        return bool(self._networks) and self._believes(host)

    def client(self, peer: str, forwarded_for: str) -> str:
        """The nearest address that is not a trusted proxy; `forwarded_for` counts only when the peer is one."""
        address = peer
        for hop in reversed([part.strip() for part in forwarded_for.split(",")]):
            if not self.believes(address) or _address(hop) is None:
                break
            address = hop
        return address

    def _is_inside(self, host: str) -> bool:
        address = _address(host)
        return address is not None and any(address in network for network in self._networks)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
