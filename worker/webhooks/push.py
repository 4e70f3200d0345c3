"""What a webhook says, in the words of GitHub, Gitea, Forgejo, Gogs and GitLab. Pure."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

_EVENTS = ("X-GitHub-Event", "X-Gitea-Event", "X-Forgejo-Event", "X-Gogs-Event", "X-Gitlab-Event")
_DELIVERIES = (
    "X-GitHub-Delivery",
    "X-Gitea-Delivery",
    "X-Forgejo-Delivery",
    "X-Gogs-Delivery",
    # GitLab: this one stays the same when a delivery is repeated.
    "Idempotency-Key",
    "X-Gitlab-Event-UUID",
)
_PUSHES = frozenset({"push", "push hook"})
_BRANCH = "refs/heads/"
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_LONGEST_DELIVERY = 200


class WebhookUnreadable(Exception):
    """The body is not what the webhooks of the known hosts look like."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """Nothing is to be deployed; `reason` is for the person who looks at the host's list of deliveries."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """`default_branch` is empty when the host does not say. `before` is all zeros for a new branch."""

    branch: str
    before: str
    after: str
    default_branch: str


def read_push(headers: Mapping[str, str], body: bytes) -> Push | Ignored:
    """Raises WebhookUnreadable."""
    event = next((headers[name] for name in _EVENTS if name in headers), "push")
    if event.lower() not in _PUSHES:
        return Ignored(f"the event {event[:64]!r} is no push")
    payload = _payload(headers.get("Content-Type", ""), body)
    ref, after = payload.get("ref"), payload.get("after")
    if not isinstance(ref, str) or not isinstance(after, str):
        raise WebhookUnreadable("A push has the members `ref` and `after`.")
    if not ref.startswith(_BRANCH):
        return Ignored(f"{ref[:200]} is no branch")
    branch = ref.removeprefix(_BRANCH)
    if payload.get("deleted") is True or not after.strip("0"):
        return Ignored(f"the branch {branch[:200]} was deleted")
    if _COMMIT.fullmatch(after) is None:
        raise WebhookUnreadable("`after` is the full id of a commit.")
    before = payload.get("before")
    return Push(
        branch=branch,
        before=before if isinstance(before, str) and _COMMIT.fullmatch(before) else "",
        after=after,
        default_branch=_default_branch(payload),
    )


def delivery_keys(headers: Mapping[str, str], body: bytes, *, body_signed: bool) -> list[str]:
    """By what a delivery is known again, best first.

    The delivery's own id is not part of what is signed. So a signed body is remembered too: who repeats it under another id is
    playing back what somebody else once sent.
    """
    keys = [f"id:{headers[name][:_LONGEST_DELIVERY]}" for name in _DELIVERIES if headers.get(name)][:1]
    if body_signed or not keys:
        keys.append(f"body:{hashlib.sha256(body).hexdigest()}")
    return keys


def _payload(content_type: str, body: bytes) -> dict[str, Any]:
    """GitHub sends forms too, when told to."""
    octets = body
    try:
        if content_type.partition(";")[0].strip().lower() == "application/x-www-form-urlencoded":
            octets = parse_qs(body.decode(), strict_parsing=True)["payload"][0].encode()
        payload = json.loads(octets)
    except (ValueError, KeyError, RecursionError):
        raise WebhookUnreadable("The body must be JSON, or a form with JSON in `payload`.") from None
    if not isinstance(payload, dict):
        raise WebhookUnreadable("The body must be a JSON object.")
    return payload


def _default_branch(payload: Mapping[str, Any]) -> str:
    for name in ("repository", "project"):
        place = payload.get(name)
        if isinstance(place, dict) and isinstance(place.get("default_branch"), str):
            return str(place["default_branch"])
    return ""
