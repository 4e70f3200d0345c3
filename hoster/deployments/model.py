"""A deployment as it is recorded, and as its owner sees it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from hoster.deployments import naming
from hoster.deployments.resources import Resources
from hoster.deployments.sources import Source, TemplateSource, source_members
from hoster.deployments.transitions import State
from hoster.templates.model import Scalar
from shared.clock import rfc3339


class Visibility(StrEnum):
    PUBLIC = "public"
    PRIVATE = "private"


@dataclass(frozen=True, slots=True)
class AppUrls:
    """Under which domain, and which port when not the usual one, visitors reach the apps."""

    domain: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """`variables` holds `***` where the value is sealed. `requested_*` is what the owner asked for, `node_id` what was chosen.

    `pending_changes` are the fields that differ from what was deployed last; `node_visibility` is what the node was told.
    `domains` are the proved ones.
    """

    id: str
    user_id: str
    org_id: str
    name: str
    project_id: str
    source: Source
    visibility: Visibility
    node_visibility: Visibility | None
    status: State
    status_reason: str | None
    requested_node_id: str | None
    requested_region: str | None
    required_capabilities: frozenset[str]
    node_id: str | None
    resources: Resources
    release_id: str | None
    created_at: float
    updated_at: float
    started_at: float | None
    stopped_at: float | None
    variables: Mapping[str, Scalar]
    pending_changes: tuple[str, ...]
    domains: tuple[str, ...]

    @property
    def needs_release(self) -> bool:
        """Whether a start has something else to run than what ran last."""
        return self.release_id is None or any(change != "visibility" for change in self.pending_changes)

    def as_json(self, urls: AppUrls) -> dict[str, object]:
        template = self.source if isinstance(self.source, TemplateSource) else None
        return {
            "id": self.id,
            "name": self.name,
            "template_id": template.template_id if template else None,
            "template_revision": template.revision if template else None,
            "source": source_members(self.source),
            "visibility": self.visibility.value,
            "status": self.status.value,
            "status_reason": self.status_reason,
            "node_id": self.node_id,
            "url": naming.url(self.project_id, urls.domain, urls.port),
            "hosts": [*naming.hosts(self.project_id, urls.domain), *self.domains],
            "variables": dict(self.variables),
            "resources": self.resources.as_json(),
            "release_id": self.release_id,
            "pending_changes": list(self.pending_changes),
            "created_at": rfc3339(self.created_at),
            "updated_at": rfc3339(self.updated_at),
            "started_at": _moment(self.started_at),
            "stopped_at": _moment(self.stopped_at),
        }


DEPLOY_STEP = "deploy_step"


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Something that happened to a deployment. `origin` names the occurrence: told again, it is the same row."""

    type: str
    message: str
    origin: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A happening as it was written down."""

    seq: int
    type: str
    message: str
    at: float

    def as_json(self) -> dict[str, object]:
        return {
            "id": f"hoster-{self.seq}",  # the node numbers its own
            "type": self.type,
            "container": None,
            "message": self.message,
            "timestamp": rfc3339(self.at),
        }


def _moment(unix: float | None) -> str | None:
    return None if unix is None else rfc3339(unix)
