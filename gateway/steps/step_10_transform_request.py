"""Step 10: the fields that go upstream: credentials and spoofed names out, identity and the way here in.

Facts: removal comes first and the gateway's own names are added last, so that nothing a client sends, in any spelling or by
naming it in `Connection`, can take one away or stand in for it (CVE-2026-29054, CVE-2026-88011).
"""

from dataclasses import dataclass
from typing import Final

from gateway.rules.client_address import TrustedProxies
from gateway.rules.field_fates import FATES, Fate
from gateway.steps.field_edits import edited
from gateway.steps.step_09_match_route import Bound
from gateway.steps.variables import Variables
from shared import identity
from shared.relay.director import Field, RequestHead
from shared.relay.fields import Remembered, remember

_CLIENT_REQUEST_ID: Final = b"X-Client-Request-ID"
_REQUEST_ID: Final = identity.REQUEST_ID.encode()
_OVER_HTTP: Final = (b"X-Forwarded-Proto", b"http")
_VIA: Final = (b"Via", b"1.1 apigate")
_VIA_HTTP10: Final = (b"Via", b"1.0 apigate")
_MOST_REMEMBERED: Final = 1024
remember((_VIA, _VIA_HTTP10))


@dataclass(slots=True, init=False)
class Transformed:
    bound: Bound
    fields: list[Field]

    def __init__(self, bound: Bound, fields: list[Field]) -> None:
        self.bound = bound
        self.fields = fields


def transform_request(bound: Bound, proxies: TrustedProxies) -> Transformed:
    head = bound.match.head
    fields, about_the_way, client_id = _sorted_out(head)
    edits = bound.match.route.request_edits
    if not edits.are_none:
        fields = edited(fields, edits, Variables(bound), bound.match.route.name)
    if client_id is not None:
        fields = [field for field in fields if field[0].lower() != b"x-client-request-id"]
        fields.append((_CLIENT_REQUEST_ID, client_id))
    fields.extend(forwarded_fields(head, about_the_way, proxies))
    fields.append(_VIA if head.http11 else _VIA_HTTP10)
    fields.append((_REQUEST_ID, head.request_id.encode()))
    if bound.entitled is not None:
        fields.extend(bound.entitled.vouched.fields)
    return Transformed(bound, fields)


def forwarded_fields(head: RequestHead, given: list[Field], proxies: TrustedProxies) -> list[Field]:
    """`X-Forwarded-*`: continued from a trusted proxy, begun anew from anyone else."""
    peer = head.peer.host
    if not proxies.believes(peer):
        return _begun_anew(peer, head.host)
    claimed: dict[bytes, bytes] = {}
    for name, value in given:
        lowered = name.lower()
        claimed[lowered] = claimed[lowered] + b", " + value if lowered in claimed else value
    hops = claimed.get(b"x-forwarded-for")
    scheme = claimed.get(b"x-forwarded-proto", b"").lower()
    fields = [
        (b"X-Forwarded-For", peer.encode() if hops is None else hops + b", " + peer.encode()),
        (b"X-Forwarded-Proto", scheme if scheme in {b"http", b"https"} else b"http"),
        (b"X-Forwarded-Host", claimed.get(b"x-forwarded-host", head.host.encode("latin-1"))),
    ]
    if b"forwarded" in claimed:
        fields.append((b"Forwarded", claimed[b"forwarded"]))
    return fields


_BEGUN: Final[Remembered[tuple[str, str], list[Field]]] = Remembered(_MOST_REMEMBERED)


def _begun_anew(peer: str, host: str) -> list[Field]:
    """Remembered by address and host: a client asks more than once."""
    fields = _BEGUN.find((peer, host))
    if fields is None:
        fields = [
            (b"X-Forwarded-For", peer.encode()),
            _OVER_HTTP,
            (b"X-Forwarded-Host", host.encode("latin-1")),
        ]
        _BEGUN.keep((peer, host), fields, fields)
    return fields


def _sorted_out(head: RequestHead) -> tuple[list[Field], list[Field], bytes | None]:
    """What passes, what is about the way here, and the client's own request id."""
    passing: list[Field] = []
    about_the_way: list[Field] = []
    client_id: bytes | None = None
    for field in head.fields:
        fate = FATES[field[0]]
        if fate is Fate.ONWARD:
            passing.append(field)
        elif fate is Fate.PROXY:
            about_the_way.append(field)
        elif fate is Fate.REQUEST_ID and client_id is None:
            client_id = field[1]
    return passing, about_the_way, client_id
