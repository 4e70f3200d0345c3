"""Where a source may come from: URLs without secrets, hosts on the public Internet, places in a repository. Pure.

Facts: git's short form `user@host:path` is ssh. IPv4 addresses hide in IPv6 ones: mapped (::ffff:0:0/96), NAT64 (64:ff9b::/96), 6to4
(2002::/16) and Teredo (2001::/32).
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]")
_SHORT_FORM = re.compile(
    r"(?P<user>[A-Za-z0-9_][A-Za-z0-9_.-]*)@(?P<host>[A-Za-z0-9.-]+):(?P<path>[^:\s][^\s]*)"
)
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_REF = re.compile(r"(?!.*(?:\.\.|//|@\{|\.lock$|[/.]$))[A-Za-z0-9_][A-Za-z0-9._/+@-]{0,199}")
_PRINTABLE = re.compile(r"[\x21-\x7e]+")
_NAT64 = IPv6Network("64:ff9b::/96")
_PORTS = {"https": 443, "http": 80, "ssh": 22}

GIT_SCHEMES = ("https", "ssh", "http", "file")
"""The last two only where local sources are permitted."""
ARCHIVE_SCHEMES = ("https", "http")


class SourceUrlInvalid(Exception):
    """The URL is not one that a source can be fetched from."""


@dataclass(frozen=True, slots=True)
class SourceAddress:
    """`host` without brackets, empty for a file. `url` is what git is given."""

    url: str
    scheme: str
    host: str
    port: int


def checked_git_url(url: str) -> SourceAddress:
    """Raises SourceUrlInvalid. Whether http and files are permitted is the fetcher's question."""
    short = _SHORT_FORM.fullmatch(url)
    if short is not None and _PRINTABLE.fullmatch(url):
        path = short["path"].removeprefix("/")
        return _checked(f"ssh://{short['user']}@{short['host']}/{path}", GIT_SCHEMES)
    return _checked(url, GIT_SCHEMES)


def is_ref(text: str) -> bool:
    """The name of a branch or tag, or a commit (git-check-ref-format)."""
    return _REF.fullmatch(text) is not None


def is_inside_repository(path: str) -> bool:
    """Whether it names a file below the top, and no other in another way."""
    parts = path.split("/")
    return (
        len(path) <= 500 and "\0" not in path and "\\" not in path and not {"", ".", ".."}.intersection(parts)
    )


def checked_archive_url(url: str) -> SourceAddress:
    """Raises SourceUrlInvalid."""
    return _checked(url, ARCHIVE_SCHEMES)


def check_permitted(address: SourceAddress) -> None:
    """What is refused before anything is looked up: schemes for local sources, addresses that are spelt out. Raises SourceUrlInvalid."""
    if address.scheme not in {"https", "ssh"}:
        raise SourceUrlInvalid("may only be fetched by https (and git also by ssh)")
    try:
        spelt_out = ip_address(address.host)
    except ValueError:
        return
    if not is_public(spelt_out):
        raise SourceUrlInvalid("is not on the public Internet")


def is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if inner is None and address in _NAT64:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
    return address.is_global and not address.is_multicast


def _checked(url: str, schemes: tuple[str, ...]) -> SourceAddress:
    if _PRINTABLE.fullmatch(url) is None:
        raise SourceUrlInvalid("must be printable ASCII without spaces")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise SourceUrlInvalid("is not a URL") from None
    if parts.scheme not in schemes:
        raise SourceUrlInvalid(
            f"must begin with {schemes[0]}://" + (" or ssh://" if "ssh" in schemes else "")
        )
    if parts.scheme == "file":
        return SourceAddress(url, "file", "", 0)
    if parts.password is not None or (parts.username is not None and parts.scheme != "ssh"):
        raise SourceUrlInvalid("may not hold a user name or password: give a deploy key instead")
    if parts.username is not None and _USER.fullmatch(parts.username) is None:
        raise SourceUrlInvalid("has a user name that ssh does not take")
    host = parts.netloc.rpartition("@")[2]
    host = host[: host.rfind("]") + 1] if host.startswith("[") else host.partition(":")[0]
    if _HOST.fullmatch(host) is None or parts.fragment:
        raise SourceUrlInvalid("must have a host name and no fragment")
    return SourceAddress(url, parts.scheme, host.strip("[]"), port or _PORTS[parts.scheme])
