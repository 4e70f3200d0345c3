"""What a deployment is made from, and how that is written down: a template's revision, an image, or a git repository."""

import json
import re
from dataclasses import dataclass

from shared.source_address import SourceUrlInvalid, checked_git_url, is_inside_repository, is_ref

MOST = 1000

_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])"
_USER = r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,63})"
_PATH = r"[A-Za-z0-9._~/+@%-]+"
_HTTPS = re.compile(rf"https://{_HOST}(?::[0-9]{{1,5}})?/{_PATH}")
_SSH = re.compile(rf"ssh://(?:{_USER}@)?{_HOST}(?::[0-9]{{1,5}})?/{_PATH}|{_USER}@{_HOST}:(?!/?-){_PATH}")
_DOCKERFILE = re.compile(r"[A-Za-z0-9._][A-Za-z0-9._/ +@-]{0,254}(?<! )")


class SourceInvalid(ValueError):
    """The message says what a part of a source must be."""


@dataclass(frozen=True, slots=True)
class ImageSource:
    image: str
    port: int


@dataclass(frozen=True, slots=True)
class TemplateSource:
    template_id: str
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GitSource:
    """`ssh_key_id` is there exactly when `url` is for SSH; `dockerfile` None is the repository's `Dockerfile`."""

    url: str
    ref: str
    ssh_key_id: str | None
    port: int
    dockerfile: str | None


Source = ImageSource | GitSource | TemplateSource


def is_ssh(url: str) -> bool:
    return not url.startswith("https://")


def checked_url(url: str) -> str:
    """Raises SourceInvalid. Nothing that is accepted can be taken for an option of git or of ssh."""
    if re.match(r"https://[^/]*@", url):
        raise SourceInvalid("must not hold a user or password: give an ssh URL and ssh_key_id instead")
    if len(url) > MOST or not (_HTTPS.fullmatch(url) or _SSH.fullmatch(url)):
        raise SourceInvalid("must be https://host/path, ssh://user@host/path or user@host:path")
    try:
        checked_git_url(url)
    except SourceUrlInvalid as invalid:
        raise SourceInvalid(str(invalid)) from None
    return url


def checked_ref(ref: str) -> str:
    """Raises SourceInvalid."""
    if not is_ref(ref):
        raise SourceInvalid("must be the name of a branch or tag, or a commit")
    return ref


def checked_dockerfile(path: str) -> str:
    """Raises SourceInvalid."""
    if _DOCKERFILE.fullmatch(path) is None or not is_inside_repository(path):
        raise SourceInvalid("must be a path inside the repository")
    return path


def source_members(source: Source) -> dict[str, object] | None:
    """As it is stored and shown; a template has columns of its own."""
    match source:
        case ImageSource():
            return {"image": source.image, "port": source.port}
        case GitSource():
            git = {"url": source.url, "ref": source.ref, "ssh_key_id": source.ssh_key_id}
            return {"git": git, "port": source.port, "dockerfile": source.dockerfile}
        case TemplateSource():
            return None


def stored_source(text: str) -> ImageSource | GitSource:
    """The inverse of `source_members`, from its JSON."""
    members = json.loads(text)
    if "image" in members:
        return ImageSource(members["image"], members["port"])
    return GitSource(**members["git"], port=members["port"], dockerfile=members["dockerfile"])
