r"""Signed commands from Hoster to a worker, and from a worker to Hoster.

Rules (contract of the worker, "Authentication of commands"): `X-Signature: t=<unix>,n=<nonce>,v1=<hex>`, HMAC-SHA256 with the
node secret over t, n, method, path with query as sent, and the lower-case hex SHA-256 of the body, joined by `\n`.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass

HEADER = "X-Signature"
WINDOW_S = 60

_FORM = re.compile(r"t=([0-9]{1,12}),n=([A-Za-z0-9_-]{8,64}),v1=([0-9a-f]{64})")


class SignatureInvalid(Exception):
    """The command is unsigned, signed with another secret or for another request, or outside the window."""


@dataclass(frozen=True, slots=True)
class Command:
    method: str
    path_and_query: str
    body: bytes


def sign(secret: bytes, command: Command, unix_time: int, nonce: str) -> str:
    """The value of `X-Signature`. `nonce` is 8 to 64 URL-safe characters, never used twice."""
    moment = str(unix_time)
    return f"t={moment},n={nonce},v1={_digest(secret, command, moment, nonce)}"


def verify(secret: bytes, signature: str, command: Command, now: float) -> str:
    """The nonce of a valid signature, for the caller to accept once; raises SignatureInvalid."""
    form = _FORM.fullmatch(signature)
    if form is None:
        raise SignatureInvalid("missing or malformed signature")
    moment, nonce, digest = form.groups()
    if not hmac.compare_digest(digest, _digest(secret, command, moment, nonce)):
        raise SignatureInvalid("signature does not match")
    if abs(now - int(moment)) > WINDOW_S:
        raise SignatureInvalid("signature is outside the time window")
    return nonce


def signed_at(signature: str) -> int:
    """When it says that it was made (Unix seconds). Raises SignatureInvalid for what is no signature at all."""
    form = _FORM.fullmatch(signature)
    if form is None:
        raise SignatureInvalid("missing or malformed signature")
    return int(form[1])


def _digest(secret: bytes, command: Command, moment: str, nonce: str) -> str:
    body_hash = hashlib.sha256(command.body).hexdigest()
    text = "\n".join((moment, nonce, command.method, command.path_and_query, body_hash))
    return hmac.new(secret, text.encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()
