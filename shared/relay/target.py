"""Request targets and the Host field (RFC 9112 section 3.2, RFC 9110 section 7.2)."""

import re
from functools import lru_cache
from typing import Final

from shared.relay.director import FaultKind
from shared.relay.faults import MessageRefused

ALLOWED_METHODS: Final = b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
# Those of the IANA registry that a reverse proxy can carry: not CONNECT, TRACE and PRI.
METHODS: Final = frozenset(
    b"GET HEAD POST PUT PATCH DELETE OPTIONS QUERY ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT COPY LABEL LINK LOCK MERGE MKACTIVITY"
    b" MKCALENDAR MKCOL MKREDIRECTREF MKWORKSPACE MOVE M-SEARCH NOTIFY ORDERPATCH PROPFIND PROPPATCH PURGE REBIND REPORT SEARCH"
    b" SUBSCRIBE UNBIND UNCHECKOUT UNLINK UNLOCK UNSUBSCRIBE UPDATE UPDATEREDIRECTREF VERSION-CONTROL".split()
)
_ABSOLUTE: Final = re.compile(rb"https?://([^/?#]*)(.*)", re.IGNORECASE)
_HOST: Final = re.compile(rb"(?:[0-9A-Za-z._~-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{0,5}))?")


def check_method(method: bytes) -> None:
    if method not in METHODS:
        raise MessageRefused("This method is not allowed.", FaultKind.METHOD_NOT_ALLOWED)


def resolve_target(
    method: bytes, target: bytes, hosts: list[bytes] | None, *, http11: bool
) -> tuple[str, str]:
    """The target in origin form (or `*`) and the lower-case host: the target's authority if it has one, else the Host field."""
    if (hosts is None and http11) or (hosts is not None and len(hosts) > 1):
        raise MessageRefused("There must be exactly one Host field.")
    host = _host(hosts[0]) if hosts else ""
    if target.startswith(b"/"):
        return target.decode("ascii"), host
    if target == b"*":
        if method != b"OPTIONS":
            raise MessageRefused("The target `*` is for OPTIONS only.")
        return "*", host
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None:
        raise MessageRefused("The request target is malformed.")
    return _origin_form(method, absolute[2]), _host(absolute[1])


def _origin_form(method: bytes, rest: bytes) -> str:
    if not rest:
        return "*" if method == b"OPTIONS" else "/"
    return ("/" if rest.startswith(b"?") else "") + rest.decode("ascii")


@lru_cache(maxsize=1024)
def _host(value: bytes) -> str:
    match = _HOST.fullmatch(value)
    port = match[1] if match is not None else None
    if match is None or (port and int(port) > 65535):
        raise MessageRefused("The host is malformed.")
    return value.decode("ascii").lower()
