"""What one node tells the next about a request that it passes on. Pure.

Rules:
- A request with a hop field, whoever wrote it, is never passed on again: that ends every loop.
- What the field says of the client is believed only when it is signed with the key that the nodes share, for this request, now.
"""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass

FIELD = b"X-Mesh-Hop"
WINDOW_S = 60.0


@dataclass(frozen=True, slots=True)
class Line:
    """What of a request is signed."""

    method: str
    host: str
    target: str


@dataclass(frozen=True, slots=True)
class Hop:
    """`client` is the address that the visitor came from, `request_id` the one that the first node gave."""

    client: str
    request_id: str


def written(hop: Hop, line: Line, key: bytes, now: float) -> bytes:
    at = str(int(now))
    return ";".join((at, hop.client, hop.request_id, _signature(hop, line, key, at))).encode()


def read(value: bytes, line: Line, keys: Iterable[bytes], now: float) -> Hop | None:
    """None when it is not signed with one of `keys` for this request within the last minute."""
    parts = value.decode("latin-1").split(";")
    if len(parts) != 4 or not (parts[0].isascii() and parts[0].isdigit()):
        return None
    at, hop, signature = parts[0], Hop(parts[1], parts[2]), parts[3].encode("latin-1")
    if abs(now - int(at[:12])) > WINDOW_S:
        return None
    for key in keys:
        if hmac.compare_digest(signature, _signature(hop, line, key, at).encode()):
            return hop
    return None


def _signature(hop: Hop, line: Line, key: bytes, at: str) -> str:
    signed = "\n".join((at, hop.client, hop.request_id, line.method, line.host, line.target))
    return hmac.new(key, signed.encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()
