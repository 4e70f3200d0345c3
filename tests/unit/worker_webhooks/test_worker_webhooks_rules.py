"""Webhooks as GitHub, Gitea, Forgejo, Gogs and GitLab send them."""

import hashlib
import hmac
import json
from typing import Any
from urllib.parse import urlencode

import pytest

from worker.webhooks.authentication import WebhookUnsigned, check_signature
from worker.webhooks.push import Ignored, Push, WebhookUnreadable, delivery_keys, read_push

SECRET = "the project's secret"
BODY = b'{"ref":"refs/heads/main"}'
HEX = hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest()
OTHER = hmac.new(b"another secret", BODY, hashlib.sha256).hexdigest()
OLD, NEW, NONE = "1" * 40, "2" * 40, "0" * 40


@pytest.mark.parametrize(
    ("headers", "body_signed"),
    [
        ({"X-Hub-Signature-256": f"sha256={HEX}"}, True),
        ({"X-Hub-Signature-256": f"sha256={HEX.upper()}"}, True),
        ({"X-Gitea-Signature": HEX}, True),
        ({"X-Forgejo-Signature": HEX}, True),
        ({"X-Gogs-Signature": HEX}, True),
        ({"X-Hub-Signature-256": f"sha256={HEX}", "X-Gitea-Signature": HEX}, True),
        ({"X-Gitlab-Token": SECRET}, False),
    ],
)
def test_the_secret_proves_the_sender(headers: dict[str, str], body_signed: bool) -> None:  # noqa: FBT001 - a column of the table
    assert check_signature(headers, BODY, SECRET) is body_signed


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Hub-Signature-256": f"sha256={OTHER}"},
        {"X-Hub-Signature-256": HEX},
        {"X-Hub-Signature-256": ""},
        {"X-Hub-Signature-256": "sha256="},
        {"X-Hub-Signature": f"sha1={hmac.new(SECRET.encode(), BODY, hashlib.sha1).hexdigest()}"},
        {"X-Gitea-Signature": OTHER},
        {"X-Gitea-Signature": f"sha256={HEX}"},
        {"X-Gitlab-Token": "another secret"},
        {"X-Gitlab-Token": ""},
        {"X-Gitlab-Token": "\udcff"},
        {"X-Hub-Signature-256": f"sha256={OTHER}", "X-Gitlab-Token": SECRET},
    ],
)
def test_nothing_else_does(headers: dict[str, str]) -> None:
    with pytest.raises(WebhookUnsigned):
        check_signature(headers, BODY, SECRET)


def push(**changes: Any) -> bytes:
    return json.dumps({"ref": "refs/heads/main", "before": OLD, "after": NEW, **changes}).encode()


MAIN = Push(branch="main", before=OLD, after=NEW, default_branch="")


@pytest.mark.parametrize(
    ("headers", "body", "read"),
    [
        ({"X-GitHub-Event": "push"}, push(), MAIN),
        ({"X-Gitea-Event": "push"}, push(), MAIN),
        ({"X-Gitlab-Event": "Push Hook"}, push(checkout_sha=NEW), MAIN),
        ({}, push(), MAIN),
        ({"X-GitHub-Event": "push"}, push(ref="refs/heads/feature/x"), Push(branch="feature/x", before=OLD, after=NEW, default_branch="")),
        ({"X-GitHub-Event": "push"}, push(before=None), Push(branch="main", before="", after=NEW, default_branch="")),
        (
            {"X-GitHub-Event": "push"},
            push(repository={"default_branch": "trunk"}),
            Push(branch="main", before=OLD, after=NEW, default_branch="trunk"),
        ),
        (
            {"X-Gitlab-Event": "Push Hook"},
            push(project={"default_branch": "trunk"}),
            Push(branch="main", before=OLD, after=NEW, default_branch="trunk"),
        ),
        (
            {"X-GitHub-Event": "push", "Content-Type": "application/x-www-form-urlencoded"},
            urlencode({"payload": push().decode()}).encode(),
            MAIN,
        ),
        ({"X-GitHub-Event": "ping"}, b'{"zen":"x"}', Ignored("the event 'ping' is no push")),
        ({"X-GitHub-Event": "issues"}, b"{}", Ignored("the event 'issues' is no push")),
        ({"X-Gitlab-Event": "Tag Push Hook"}, push(), Ignored("the event 'Tag Push Hook' is no push")),
        ({"X-GitHub-Event": "push"}, push(ref="refs/tags/v1"), Ignored("refs/tags/v1 is no branch")),
        ({"X-GitHub-Event": "push"}, push(after=NONE), Ignored("the branch main was deleted")),
        ({"X-GitHub-Event": "push"}, push(deleted=True), Ignored("the branch main was deleted")),
    ],
)  # fmt: skip
def test_a_push_is_read_and_everything_else_is_ignored_with_its_reason(
    headers: dict[str, str], body: bytes, read: Push | Ignored
) -> None:
    assert read_push(headers, body) == read


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"x",
        b"[]",
        b"{}",
        push(ref=1),
        push(after="main"),
        push(after="--upload-pack=x"),
        b"[" * 100_000,
        b"\xff",
    ],
)
def test_what_is_no_push_is_said_to_be_unreadable(body: bytes) -> None:
    with pytest.raises(WebhookUnreadable):
        read_push({"X-GitHub-Event": "push"}, body)


def test_a_signed_body_is_known_again_under_another_id() -> None:
    first = delivery_keys({"X-GitHub-Delivery": "one"}, BODY, body_signed=True)
    played_back = delivery_keys({"X-GitHub-Delivery": "two"}, BODY, body_signed=True)
    gitlab = delivery_keys({"X-Gitlab-Event-UUID": "x", "Idempotency-Key": "one"}, BODY, body_signed=False)

    assert set(first) & set(played_back)
    assert gitlab == ["id:one"]
    assert delivery_keys({}, BODY, body_signed=False) == [f"body:{hashlib.sha256(BODY).hexdigest()}"]
