"""What a deploy command's body may say, and which request it makes. Pure."""

import re
import shlex
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from shared.image_names import is_permitted
from shared.problem import FieldFault
from shared.source_address import (
    SourceUrlInvalid,
    check_permitted,
    checked_archive_url,
    checked_git_url,
    is_inside_repository,
    is_ref,
)  # fmt: skip
from worker.deploys.compose import read_compose
from worker.deploys.compose_reader import HTTP_PATH
from worker.deploys.request import ArchiveSource, DeployRequest, GitSource, HealthCheck, one_service
from worker.requests import Body, RequestInvalid
from worker.runtime.engine import Limits

_SOURCES = ("image", "compose", "git", "archive_url", "release")
_FITTING = {
    "image": {"port", "command", "healthcheck"},
    "compose": {"web"},
    "git": {"port", "dockerfile", "healthcheck"},
    "archive_url": {"sha256", "port", "dockerfile", "healthcheck"},
    "release": set[str](),
}
_NEEDED = {"image": {"port"}, "compose": set[str](), "git": {"port"}, "archive_url": {"sha256", "port"}}
_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\n[A-Za-z0-9+/=\n]+-----END [A-Z ]*PRIVATE KEY-----\n?")


class HealthCheckBody(Body):
    path: str | None = None
    interval_s: Annotated[float, Field(ge=0.05, le=60)] | None = None
    timeout_s: Annotated[float, Field(gt=0, le=60)] = 5.0
    deadline_s: Annotated[float, Field(gt=0, le=900)] = 60.0

    @field_validator("path")
    @classmethod
    def check_path(cls, path: str | None) -> str | None:
        if path is not None and HTTP_PATH.fullmatch(path) is None:
            raise ValueError("must begin with / and hold printable ASCII without spaces or #")
        return path


class GitBody(Body):
    url: Annotated[str, Field(max_length=1000)]
    ref: str = ""
    key: Annotated[str, Field(max_length=16_384)] | None = None

    @field_validator("url")
    @classmethod
    def check_url(cls, url: str) -> str:
        return _checked(url, checked_git_url)

    @field_validator("ref")
    @classmethod
    def check_ref(cls, ref: str) -> str:
        if ref and not is_ref(ref):
            raise ValueError("must be a branch, a tag or a full commit id")
        return ref

    @field_validator("key")
    @classmethod
    def check_key(cls, key: str | None) -> str | None:
        if key is None:
            return None
        text = key.replace("\r\n", "\n").strip() + "\n"
        if _KEY.fullmatch(text) is None:
            raise ValueError("must be an OpenSSH private key")
        return text


class DeployBody(Body):
    """One of the sources, and what goes with it."""

    image: str | None = None
    compose: dict[str, Any] | Annotated[str, Field(max_length=262_144)] | None = None
    git: GitBody | None = None
    archive_url: Annotated[str, Field(max_length=2000)] | None = None
    release: Annotated[str, Field(max_length=100)] | None = None
    sha256: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$")] | None = None
    web: Annotated[str, Field(max_length=63)] | None = None
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    command: list[str] | str | None = None
    dockerfile: str | None = None
    healthcheck: HealthCheckBody | None = None
    idempotency_key: Annotated[str, Field(min_length=1, max_length=200)] | None = None

    @field_validator("image")
    @classmethod
    def check_image(cls, image: str | None) -> str | None:
        if image is not None and not is_permitted(image):
            raise ValueError("must be an image name such as localhost/hello:1 or nginx:1.27")
        return image

    @field_validator("archive_url")
    @classmethod
    def check_archive_url(cls, url: str | None) -> str | None:
        return None if url is None else _checked(url, checked_archive_url)

    @field_validator("dockerfile")
    @classmethod
    def check_dockerfile(cls, path: str | None) -> str | None:
        if path is not None and not is_inside_repository(path):
            raise ValueError("must be a path inside the repository such as docker/Dockerfile")
        return path

    @field_validator("command")
    @classmethod
    def split_command(cls, command: list[str] | str | None) -> list[str] | None:
        words = shlex.split(command) if isinstance(command, str) else command
        if words is not None and (not words or any("\0" in word for word in words)):
            raise ValueError("must have at least one word, and no NUL character")
        return words

    @model_validator(mode="after")
    def check_source(self) -> "DeployBody":
        given = {name for name in type(self).model_fields if getattr(self, name) is not None}
        sources = given.intersection(_SOURCES)
        if len(sources) != 1:
            raise ValueError(f"must have exactly one of {', '.join(_SOURCES)}")
        [source] = sources
        strangers = given - {source, "idempotency_key"} - _FITTING[source]
        missing = _NEEDED.get(source, set()) - given
        if strangers:
            raise ValueError(f"{', '.join(sorted(strangers))} does not go with {source}")
        if missing:
            raise ValueError(f"{source} needs {', '.join(sorted(missing))}")
        return self

    def request(self, limits: Limits, *, allow_local: bool) -> DeployRequest:
        """For everything but a release. `limits` are the project's. Without `allow_local` a source must be on the public Internet.

        Raises ComposeUnsupported, RequestInvalid.
        """
        if not allow_local:
            self._check_public()
        if self.compose is not None:
            return read_compose(self.compose, self.web, limits)
        check = HealthCheck() if self.healthcheck is None else HealthCheck(**self.healthcheck.model_dump())
        command = None if self.command is None else tuple(self.command)
        return one_service(self.image, self.port or 0, check, command, self._source())

    def _check_public(self) -> None:
        try:
            if self.git is not None:
                check_permitted(checked_git_url(self.git.url))
            if self.archive_url is not None:
                check_permitted(checked_archive_url(self.archive_url))
        except SourceUrlInvalid as invalid:
            field = "archive_url" if self.git is None else "git.url"
            raise RequestInvalid([FieldFault(field, str(invalid))]) from None

    def _source(self) -> GitSource | ArchiveSource | None:
        dockerfile = self.dockerfile or "Dockerfile"
        if self.git is not None:
            return GitSource(url=self.git.url, ref=self.git.ref, key=self.git.key, dockerfile=dockerfile)
        if self.archive_url is not None:
            return ArchiveSource(
                url=self.archive_url, sha256=(self.sha256 or "").lower(), dockerfile=dockerfile
            )
        return None


def _checked(url: str, check: Callable[[str], object]) -> str:
    try:
        check(url)
    except SourceUrlInvalid as invalid:
        raise ValueError(str(invalid)) from None
    return url
