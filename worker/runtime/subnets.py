"""Which address range an organisation's network gets. Pure.

Docker's own pools run out after some thirty networks, so every organisation gets an explicit /26 (61 containers) out of ours.
"""

from collections.abc import Collection, Iterator
from ipaddress import IPv4Network

PREFIX = 26
_DEFAULT_ROUTE = IPv4Network("0.0.0.0/0")


def free_subnets(pool: IPv4Network, taken: Collection[IPv4Network]) -> Iterator[IPv4Network]:
    """The ranges of `pool` that overlap nothing, lowest first."""
    inside = [network for network in taken if network.overlaps(pool)]
    for subnet in pool.subnets(new_prefix=PREFIX):
        if not any(subnet.overlaps(network) for network in inside):
            yield subnet


def host_routes(table: str) -> list[IPv4Network]:
    """The networks in the text of Linux's `/proc/net/route` (little-endian hex columns), without the default route."""
    found = []
    for line in table.splitlines()[1:]:
        columns = line.split()
        if len(columns) < 8:
            continue
        address, mask = (int.from_bytes(bytes.fromhex(columns[at]), "little") for at in (1, 7))
        network = IPv4Network((address, mask.bit_count()))
        if network != _DEFAULT_ROUTE:
            found.append(network)
    return found
