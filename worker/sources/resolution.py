"""From a host name to the one address that is then used: looked up once, so that a second answer cannot lead elsewhere."""

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address

from shared.source_address import SourceAddress, is_public
from worker.sources.errors import SourceFailed

RESOLVE_DEADLINE_S = 10.0


async def resolved(address: SourceAddress, *, allow_local: bool) -> str:
    """The address to connect to, as text. Raises SourceFailed: not found, or (without `allow_local`) one of its addresses is private."""
    try:
        async with asyncio.timeout(RESOLVE_DEADLINE_S):
            found = await asyncio.get_running_loop().getaddrinfo(
                address.host, address.port, type=socket.SOCK_STREAM
            )
    except TimeoutError:
        raise SourceFailed(f"The host {address.host} could not be looked up in time.") from None
    except OSError as error:
        raise SourceFailed(f"The host {address.host} could not be found: {error.strerror}") from error
    addresses: list[IPv4Address | IPv6Address] = [
        ip_address(str(entry[4][0]).partition("%")[0]) for entry in found
    ]
    if not addresses:
        raise SourceFailed(f"The host {address.host} has no address.")
    if not allow_local and not all(is_public(one) for one in addresses):
        raise SourceFailed(f"The host {address.host} is not on the public Internet.")
    return str(addresses[0])
