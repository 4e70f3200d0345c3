"""Which host names a customer may bring, and how possession of one is proved. Pure.

Facts:
- A name is kept as IDNA A-labels (RFC 5891), lower case, without the trailing dot: the form in which visitors' browsers send it.
- A proof is bound to the deployment and the name, so that a record left from another deployment proves nothing.
"""

import hashlib
import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

import idna

from hoster.deployments.naming import INTERNAL_SUFFIX

CHALLENGE_LABEL = "_hoster-challenge"
HOSTNAME_MOST = 253 - len(CHALLENGE_LABEL) - 1
LAPSES_AFTER_S = 7 * 86_400.0

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_NOBODYS = ("localhost", "local", "internal", "onion", "arpa")
"""Names that mean something else on every machine, or no host at all (RFC 6761 and its registry)."""


class HostnameRefused(ValueError):
    """The message says why this name cannot be a domain of a deployment."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """One of two records proves possession: the TXT record, or a CNAME at the name itself."""

    hostname: str
    txt_name: str
    txt_value: str
    cname_target: str

    def as_json(self) -> list[dict[str, str]]:
        return [
            {"type": "TXT", "name": self.txt_name, "value": self.txt_value},
            {"type": "CNAME", "name": self.hostname, "value": self.cname_target},
        ]


def checked_hostname(text: str, platform_suffixes: Iterable[str]) -> str:
    """Raises HostnameRefused."""
    name = text.strip().rstrip(".").lower()
    if "*" in name:
        raise HostnameRefused("must be one host name: wildcards are not supported")
    if _is_address(name):
        raise HostnameRefused("must be a host name, not an address")
    ascii_name = _ascii(name)
    labels = ascii_name.split(".")
    if len(labels) < 2:
        raise HostnameRefused("must have at least two labels, as in www.example.com")
    if len(ascii_name) > HOSTNAME_MOST or not all(_LABEL.fullmatch(label) for label in labels):
        raise HostnameRefused("is not a valid host name")
    if labels[-1].isdigit():
        raise HostnameRefused("is not a valid host name: its last label is a number")
    for suffix in (*platform_suffixes, INTERNAL_SUFFIX, *_NOBODYS):
        if ascii_name == suffix or ascii_name.endswith(f".{suffix}"):
            raise HostnameRefused(f"must not be under {suffix}")
    return ascii_name


def challenge(hostname: str, deployment_id: str, app_host: str) -> Challenge:
    """`app_host` is the deployment's host name on this platform."""
    proof = hashlib.sha256(f"{deployment_id}\n{hostname}".encode()).hexdigest()[:40]
    return Challenge(hostname, f"{CHALLENGE_LABEL}.{hostname}", f"hoster-verification={proof}", app_host)


def _ascii(name: str) -> str:
    if name.isascii():
        return name
    try:
        return idna.encode(name, uts46=True).decode()
    except idna.IDNAError as error:
        raise HostnameRefused("is not a valid internationalised host name") from error


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
