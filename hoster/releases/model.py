"""A release: template revision, variables and images of one time that something was deployed."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from hoster.deployments.resources import Resources
from hoster.deployments.sources import Source, TemplateSource, source_members
from hoster.templates.model import Scalar
from shared.clock import rfc3339


class ReleaseStatus(StrEnum):
    DEPLOYING = "deploying"
    DEPLOYED = "deployed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ReleaseImage:
    """`digest` is the image by its content (`nginx@sha256:...`); None for one that came from no registry."""

    service: str
    image: str
    digest: str | None

    def as_json(self) -> dict[str, object]:
        return {"service": self.service, "image": self.image, "digest": self.digest}


@dataclass(frozen=True, slots=True)
class Deployed:
    """What a node made of a release: its own name for it, and the images as it resolved them."""

    node_release: str
    images: tuple[ReleaseImage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """`variables` holds `***` where the value is sealed. `restores` is the release that this one brings back."""

    id: str
    deployment_id: str
    source: Source
    resources: Resources
    variables: Mapping[str, Scalar]
    restores: str | None
    status: ReleaseStatus
    reason: str | None
    images: tuple[ReleaseImage, ...]
    node_id: str | None
    node_release: str | None
    created_at: float
    deployed_at: float | None

    @property
    def pins(self) -> Mapping[str, str]:
        """By service, the images whose content is known."""
        return {image.service: image.digest for image in self.images if image.digest is not None}

    def as_json(self, current_id: str | None) -> dict[str, object]:
        template = self.source if isinstance(self.source, TemplateSource) else None
        return {
            "id": self.id,
            "status": self.status.value,
            "reason": self.reason,
            "current": self.id == current_id,
            "template_id": template.template_id if template else None,
            "template_revision": template.revision if template else None,
            "source": source_members(self.source),
            "variables": dict(self.variables),
            "images": [one.as_json() for one in self.images],
            "restores": self.restores,
            "created_at": rfc3339(self.created_at),
            "deployed_at": None if self.deployed_at is None else rfc3339(self.deployed_at),
        }
