"""`source` in a customer's order: an image, or a git repository with a Dockerfile."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from hoster.bodies import StrictBody
from hoster.deployments.sources import (
    GitSource,
    ImageSource,
    checked_dockerfile,
    checked_ref,
    checked_url,
    is_ssh,
)
from shared.image_names import LONGEST, is_permitted, may_be_an_id


def named(image: str) -> str:
    if may_be_an_id(image):
        raise ValueError("must be a name, not an id: name:tag or name@sha256:...")
    if not is_permitted(image):
        raise ValueError("must be an image name such as localhost/hello:1 or nginx:1.27")
    return image


class GitBody(StrictBody):
    url: Annotated[str, AfterValidator(checked_url)]
    ref: Annotated[str, AfterValidator(checked_ref)]
    ssh_key_id: str | None = None

    @model_validator(mode="after")
    def _has_a_key_for_ssh(self) -> Self:
        if is_ssh(self.url) and self.ssh_key_id is None:
            raise ValueError("needs ssh_key_id for an ssh URL")
        if not is_ssh(self.url) and self.ssh_key_id is not None:
            raise ValueError("takes ssh_key_id only with an ssh URL")
        return self


class SourceBody(StrictBody):
    image: Annotated[str, Field(min_length=1, max_length=LONGEST), AfterValidator(named)] | None = None
    git: GitBody | None = None
    port: int = Field(ge=1, le=65535)
    dockerfile: Annotated[str, AfterValidator(checked_dockerfile)] | None = None

    @model_validator(mode="after")
    def _is_one_source(self) -> Self:
        if (self.image is None) == (self.git is None):
            raise ValueError("needs either image or git")
        if self.git is None and self.dockerfile is not None:
            raise ValueError("takes dockerfile only with git")
        return self

    def source(self) -> ImageSource | GitSource:
        if self.git is None:
            return ImageSource(str(self.image), self.port)
        return GitSource(
            url=self.git.url,
            ref=self.git.ref,
            ssh_key_id=self.git.ssh_key_id,
            port=self.port,
            dockerfile=self.dockerfile,
        )
