"""The source of a deployment or release as its columns hold it, and what a repository may be called."""

import json
import re
from collections.abc import Mapping

from hoster.deployments.model import GitSource, ImageSource, Source, TemplateSource
from shared.database import Row

MOST = 1000

_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])"
_USER = r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,63})"
_PATH = r"[A-Za-z0-9._~/+@%-]+"
_HTTPS = re.compile(rf"https://{_HOST}(?::[0-9]{{1,5}})?/{_PATH}")
_SSH = re.compile(rf"ssh://(?:{_USER}@)?{_HOST}(?::[0-9]{{1,5}})?/{_PATH}|{_USER}@{_HOST}:(?!/?-){_PATH}")
_REF = re.compile(r"(?!.*(?:\.\.|//|@\{|\.lock$|[/.]$))[A-Za-z0-9_][A-Za-z0-9._/+@-]{0,199}")
_DOCKERFILE = re.compile(r"(?!.*(?:^|/)\.\.(?:/|$))[A-Za-z0-9._][A-Za-z0-9._/ +@-]{0,254}(?<![/ ])")


class SourceInvalid(ValueError):
    """The message says what a part of a source must be."""


def is_ssh(url: str) -> bool:
    return not url.startswith("https://")


def checked_url(url: str) -> str:
    """Raises SourceInvalid. Nothing that is accepted can be taken for an option of git or of ssh."""
    if re.match(r"https://[^/]*@", url):
        raise SourceInvalid("must not hold a user or password: give an ssh URL and ssh_key_id instead")
    if len(url) > MOST or not (_HTTPS.fullmatch(url) or _SSH.fullmatch(url)):
        raise SourceInvalid("must be https://host/path, ssh://user@host/path or user@host:path")
    return url


def checked_ref(ref: str) -> str:
    """A branch, a tag or a commit (git-check-ref-format). Raises SourceInvalid."""
    if _REF.fullmatch(ref) is None:
        raise SourceInvalid("must be the name of a branch or tag, or a commit")
    return ref


def checked_dockerfile(path: str) -> str:
    """Raises SourceInvalid."""
    if _DOCKERFILE.fullmatch(path) is None:
        raise SourceInvalid("must be a path inside the repository")
    return path


def source_of(row: Row) -> Source:
    """From the columns that `source_columns` made. Raises SourceInvalid."""
    if row["source"] is None:
        return TemplateSource(row["template_id"], row["template_revision"])
    members: Mapping[str, object] = json.loads(row["source"])
    match members:
        case {
            "git": {"url": str(url), "ref": str(ref), "ssh_key_id": key_id},
            "port": int(port),
            "dockerfile": file,
        }:
            return GitSource(
                url=url,
                ref=ref,
                ssh_key_id=None if key_id is None else str(key_id),
                port=port,
                dockerfile=None if file is None else str(file),
            )
        case {"image": str(image), "port": int(port)}:
            return ImageSource(image, port)
        case _:
            raise SourceInvalid("the stored source is neither an image nor a repository")


def source_columns(source: Source) -> dict[str, object]:
    if isinstance(source, TemplateSource):
        return {"template_id": source.template_id, "template_revision": source.revision, "source": None}
    return {"template_id": None, "template_revision": None, "source": json.dumps(source.as_json())}
