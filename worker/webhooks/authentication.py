"""Who sends a webhook: whoever knows the project's secret. Pure.

Facts: GitHub signs the raw body (`X-Hub-Signature-256: sha256=<hex of HMAC-SHA256>`); Gitea and Forgejo do the same and repeat the hex in headers of their
own, Gogs has only that. GitLab sends the secret itself (`X-Gitlab-Token`), which proves nothing of the body.
"""

import hashlib
import hmac
from collections.abc import Mapping

_PREFIXED = "X-Hub-Signature-256"
_BARE = ("X-Gitea-Signature", "X-Forgejo-Signature", "X-Gogs-Signature")
_TOKEN = "X-Gitlab-Token"  # noqa: S105 - the name of a header


class WebhookUnsigned(Exception):
    """The webhook is not signed with the project's secret."""


def check_signature(headers: Mapping[str, str], body: bytes, secret: str) -> bool:
    """Whether the body itself is signed, not only sent along with the secret. Raises WebhookUnsigned.

    The first of the known headers decides; a second one cannot make up for it.
    """
    key = secret.encode()
    digest = hmac.new(key, body, hashlib.sha256).hexdigest()
    if (given := headers.get(_PREFIXED)) is not None:
        return _require_same(given.lower(), f"sha256={digest}")
    for name in _BARE:
        if (given := headers.get(name)) is not None:
            return _require_same(given.lower(), digest)
    if (given := headers.get(_TOKEN)) is not None:
        _require_same(given, secret)
        return False
    raise WebhookUnsigned("The webhook has no signature.")


def _require_same(given: str, expected: str) -> bool:
    if not hmac.compare_digest(given.encode("utf-8", "surrogateescape"), expected.encode()):
        raise WebhookUnsigned("The webhook is not signed with the secret of this project.")
    return True
