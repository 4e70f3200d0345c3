"""Whether what a worker says about a project means that the deployment runs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

UP_FOR_S = 10.0
REASON_MOST = 1000

_BROKEN = frozenset({"failed", "crashed"})
_NOT_YET = frozenset({"starting", "unhealthy", "unknown"})
_DOWN = frozenset({"created", "stopped", "failed", "crashed"})


@dataclass(frozen=True, slots=True)
class Ready:
    pass


@dataclass(frozen=True, slots=True)
class Waiting:
    why: str


@dataclass(frozen=True, slots=True)
class Broken:
    why: str


def readiness(
    project: Mapping[str, object],
    *,
    is_checked: bool,
    now: float,
    former: frozenset[str] = frozenset(),
) -> Ready | Waiting | Broken:
    """A service with a health check must pass it; one without must have been up for 10 s. `former` are the start times before a
    restart: a service that still shows one of them has not been restarted yet.
    """
    status = str(project.get("status"))
    if status in _BROKEN:
        return Broken(_why_broken(project, status))
    if status != "running":
        return Waiting(f"The app is {status}.")
    services = list(services_of(project))
    if former & start_times(project):
        return Waiting("The app has not been restarted yet.")
    if any(service.get("health") in _NOT_YET for service in services):
        return Waiting("The app has not passed its health check.")
    if not is_checked and any(_up_for(service, now) < UP_FOR_S for service in services):
        return Waiting(f"The app has not been up for {UP_FOR_S:.0f} seconds.")
    return Ready()


def _why_broken(project: Mapping[str, object], status: str) -> str:
    """In the node's own words, where it has any."""
    reason = project.get("status_reason")
    if isinstance(reason, str) and reason:
        return reason[:REASON_MOST]
    return f"The app {'keeps crashing' if status == 'crashed' else 'failed to start'}."


def is_down(project: Mapping[str, object]) -> bool:
    return project.get("status") in _DOWN


def start_times(project: Mapping[str, object]) -> frozenset[str]:
    return frozenset(str(one["started_at"]) for one in services_of(project) if one.get("started_at"))


def services_of(project: Mapping[str, object]) -> Iterable[Mapping[str, object]]:
    services = project.get("services")
    return [one for one in services if isinstance(one, dict)] if isinstance(services, list) else []


def _up_for(service: Mapping[str, object], now: float) -> float:
    """Seconds; a start time that is missing or unreadable counts as just now."""
    try:
        return now - datetime.fromisoformat(str(service.get("started_at"))).timestamp()
    except ValueError:
        return 0.0
