r"""The identity that APIGate vouches for, and the signature that Hoster trusts.

Rules (contract of the gateway, "What goes upstream"):
- The signed text is these lines joined by `\n`: t, method, target as sent, user id, org id, plan id, plan limits, key id,
  request id. An absent value is the empty string.
- A client must never be able to name a managed header, in any spelling: see `is_managed`.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from hmac import compare_digest
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

USER_ID: Final = "X-User-ID"
ORG_ID: Final = "X-Org-ID"
PLAN_ID: Final = "X-Plan-ID"
PLAN_LIMITS: Final = "X-Plan-Limits"
KEY_ID: Final = "X-Key-ID"
SIGNATURE: Final = "X-Identity-Signature"
REQUEST_ID: Final = "X-Request-ID"
EVENT_TYPE: Final = "X-Event-Type"

MAX_AGE_S: Final = 60

_MANAGED: Final = frozenset(
    name.lower().encode() for name in (USER_ID, ORG_ID, PLAN_ID, PLAN_LIMITS, KEY_ID, SIGNATURE, REQUEST_ID)
)
_FOLD: Final = bytes.maketrans(b"._", b"--")


def _octets(text: str) -> bytes:
    """Header bytes that are not UTF-8 arrive as surrogates; they must fail the comparison, not the encoder."""
    return text.encode("utf-8", "surrogateescape")


class IdentityUnverified(Exception):
    """The identity headers carry no valid, fresh signature."""


@dataclass(slots=True, init=False)
class Identity:
    """Who a request acts for. `plan_limits` is compact JSON, signed and passed as text. `signed`: its five lines of the signed text."""

    user_id: str
    org_id: str
    plan_id: str
    plan_limits: str
    key_id: str
    signed: bytes = field(init=False, repr=False, compare=False)

    def __init__(self, user_id: str, org_id: str, plan_id: str, plan_limits: str, key_id: str) -> None:
        self.user_id = user_id
        self.org_id = org_id
        self.plan_id = plan_id
        self.plan_limits = plan_limits
        self.key_id = key_id
        self.signed = _octets("\n".join((user_id, org_id, plan_id, plan_limits, key_id)))


@dataclass(slots=True, init=False)
class SignedRequest:
    """What besides the identity is bound by the signature."""

    method: str
    target: str
    request_id: str

    def __init__(self, method: str, target: str, request_id: str) -> None:
        self.method = method
        self.target = target
        self.request_id = request_id


ANONYMOUS: Final = Identity(user_id="", org_id="", plan_id="", plan_limits="", key_id="")
"""What APIGate signs when it asks for itself (reconciliation)."""


def is_managed(lowered_name: bytes) -> bool:
    """Whether a lower-case field name is one of ours once `.` and `_` are read as `-` (CVE-2026-88011)."""
    return lowered_name.startswith(b"x") and lowered_name.translate(_FOLD) in _MANAGED


def sign(secret: bytes, identity: Identity, request: SignedRequest, unix_time: int) -> str:
    """The value of `X-Identity-Signature`."""
    return f"t={unix_time},v1={_digest(secret, identity, request, str(unix_time))}"


def verify(secret: bytes, signature: str, identity: Identity, request: SignedRequest, now: float) -> None:
    """Raises IdentityUnverified unless `signature` is ours and at most 60 s away from `now`."""
    stamp, separator, digest = signature.partition(",v1=")
    moment = stamp.removeprefix("t=")
    if not (
        separator and stamp.startswith("t=") and moment.isascii() and moment.isdigit() and len(moment) <= 12
    ):
        raise IdentityUnverified("malformed signature")
    if not compare_digest(digest.encode(), _digest(secret, identity, request, moment).encode()):
        raise IdentityUnverified("signature does not match")
    if abs(now - int(moment)) > MAX_AGE_S:
        raise IdentityUnverified("signature is too old")


def _digest(secret: bytes, identity: Identity, request: SignedRequest, moment: str) -> str:
    beginning = _octets(f"{moment}\n{request.method}\n{request.target}\n")
    signed = _keyed(secret).copy()
    signed.update(b"".join((beginning, identity.signed, b"\n", _octets(request.request_id))))
    return signed.finalize().hex()


@lru_cache(maxsize=4)
def _keyed(secret: bytes) -> HMAC:
    """The key's own two blocks are hashed once, not for every request."""
    return HMAC(secret, SHA256())
