"""What a push means for a project that is deployed from git. Pure."""

import re
from dataclasses import replace

from worker.deploys.request import DeployRequest, GitSource
from worker.webhooks.push import Ignored, Push

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


def pushed(current: DeployRequest | None, push: Push) -> DeployRequest | Ignored:
    """The current request at the pushed commit, or why the push is not the project's business."""
    if current is None:
        return Ignored("nothing has been deployed yet")
    source = current.source
    if not isinstance(source, GitSource):
        return Ignored("the project is not deployed from git")
    followed = source.ref.removeprefix("refs/heads/") or push.default_branch
    if _COMMIT.fullmatch(followed) is not None:
        return Ignored("the project is pinned to a commit")
    if push.branch != followed:
        return Ignored(f"the project follows {followed or 'the default branch'}, not {push.branch}")
    return at_commit(current, source, push.after)


def newest(current: DeployRequest | None) -> DeployRequest | Ignored:
    """The current request at the end of the branch that it follows."""
    if current is None or not isinstance(current.source, GitSource):
        return Ignored("the project is not deployed from git")
    return at_commit(current, current.source, "")


def at_commit(current: DeployRequest, source: GitSource, commit: str) -> DeployRequest:
    return replace(current, source=replace(source, commit=commit), release=None, fresh_environment=False)
