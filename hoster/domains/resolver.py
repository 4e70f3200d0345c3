"""Asking the DNS for the records that prove possession of a host name."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Protocol

import dns.asyncresolver
import dns.exception
import dns.name
import dns.rdatatype
import dns.resolver
from aiohttp import web

ANSWER_DEADLINE_S = 5.0
DNS_PORT = 53
_WITH_PORT = re.compile(r"(?:([0-9.]+)|\[([0-9A-Fa-f:.]+)\]):([0-9]{1,5})")


class DnsUnavailable(Exception):
    """The resolver does not answer, or answers with an error of its own: nothing is known about the name."""


class Resolver(Protocol):
    async def txt(self, name: str) -> list[str]:
        """Every TXT record, its strings joined; empty when there is none. Raises DnsUnavailable."""
        ...

    async def cname(self, name: str) -> str | None:
        """Lower case, without the trailing dot. Raises DnsUnavailable."""
        ...


@dataclass(frozen=True, slots=True)
class DnsServer:
    address: str
    port: int


def parse_server(text: str) -> DnsServer:
    """`address`, `address:port` or `[address]:port`; raises ValueError."""
    form = _WITH_PORT.fullmatch(text)
    host, port = (form[1] or form[2], int(form[3])) if form else (text, DNS_PORT)
    try:
        server = DnsServer(str(ipaddress.ip_address(host)), port)
    except ValueError:
        server = None
    if server is None or not 0 < port <= 65535:
        raise ValueError(
            f"{text!r} is not an address of a DNS server, such as 10.0.0.2, 10.0.0.2:5353 or [fd00::2]:53"
        )
    return server


class DnsResolver:
    """Each question is asked afresh, by a deadline: who has just published a record does not wait for a cache of ours."""

    def __init__(self, server: DnsServer | None) -> None:
        """Blocking: without a server, that of the system is read from its configuration."""
        self._resolver = dns.asyncresolver.Resolver(configure=server is None)
        if server is not None:
            self._resolver.nameservers = [server.address]
            self._resolver.port = server.port
        self._resolver.lifetime = ANSWER_DEADLINE_S
        self._resolver.timeout = ANSWER_DEADLINE_S / 2

    async def txt(self, name: str) -> list[str]:
        answer = await self._ask(name, dns.rdatatype.TXT)
        records = [] if answer is None or answer.rrset is None else list(answer.rrset)
        return [b"".join(record.strings).decode("utf-8", "replace") for record in records]

    async def cname(self, name: str) -> str | None:
        answer = await self._ask(name, dns.rdatatype.CNAME)
        records = [] if answer is None or answer.rrset is None else list(answer.rrset)
        return next((str(record.target).rstrip(".").lower() for record in records), None)

    async def _ask(self, name: str, kind: dns.rdatatype.RdataType) -> dns.resolver.Answer | None:
        try:
            return await self._resolver.resolve(
                dns.name.from_text(name), kind, raise_on_no_answer=False, search=False
            )
        except dns.resolver.NXDOMAIN:
            return None
        except (dns.exception.DNSException, OSError) as error:
            raise DnsUnavailable(f"The DNS does not answer for {name}: {type(error).__name__}.") from error


RESOLVER: web.AppKey[Resolver] = web.AppKey("resolver")
