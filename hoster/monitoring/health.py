"""The health of a deployment, judged from what its node says about the containers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from hoster.deployments.readiness import COMPLETED

RESTARTS_TOLERATED = 3


class Health(StrEnum):
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """`status` and `reported_health` are the node's words. What is not meant to run is neither well nor ill."""

    name: str
    status: str
    reported_health: str | None
    started_at: str | None
    restarts: int
    is_meant_to_run: bool

    @property
    def health(self) -> Health:
        if self.status == "unknown" or not self.is_meant_to_run:
            return Health.UNKNOWN
        if self.status == COMPLETED:
            return Health.HEALTHY
        if self.status != "running" or self.reported_health == "unhealthy":
            return Health.UNHEALTHY
        if self.reported_health == "unknown":
            return Health.UNKNOWN
        if self.restarts > RESTARTS_TOLERATED or self.reported_health == "starting":
            return Health.DEGRADED
        return Health.HEALTHY

    def as_json(self) -> dict[str, object]:
        return {
            "name": self.name,
            "status": self.status,
            "health": self.health.value,
            "started_at": self.started_at,
            "restarts": self.restarts,
        }


def containers_of(services: Iterable[Mapping[str, object]], *, is_meant_to_run: bool) -> list[Container]:
    """From a project's `services`, as the worker shows them."""
    return [
        Container(
            name=str(service.get("name", "")),
            status=str(service.get("status", "unknown")),
            reported_health=_text(service.get("health")),
            started_at=_text(service.get("started_at")),
            restarts=_count(service.get("restarts")),
            is_meant_to_run=is_meant_to_run,
        )
        for service in services
    ]


def overall(containers: Sequence[Container]) -> Health:
    found = {container.health for container in containers}
    if not found:
        return Health.UNKNOWN
    return found.pop() if len(found) == 1 else Health.DEGRADED


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0
