"""A project of the worker without containers, and which orders it would take."""

from dataclasses import dataclass, field

KEPT_RELEASES = 5

_SERVICE_KEYS = frozenset(
    {"image", "command", "entrypoint", "environment", "expose", "volumes", "depends_on", "healthcheck", "restart", "x-web",
     "deploy"}
)  # fmt: skip


@dataclass(slots=True)
class FakeProject:
    project_id: str
    org_id: str
    name: str
    visibility: str
    limits: dict[str, object]
    status: str = "created"
    status_reason: str = ""
    restarted: int = 0
    release: str | None = None
    domains: set[str] = field(default_factory=set)
    env: dict[str, str] = field(default_factory=dict)
    deploys: dict[str, dict] = field(default_factory=dict)
    active: list[str] = field(default_factory=list)
    by_key: dict[str, str] = field(default_factory=dict)

    def services(self) -> dict[str, dict]:
        """Those of the release that runs, as they were sent."""
        return {} if self.release is None else self.deploys[self.release]["compose"]["services"]

    def environment(self, service: str = "web") -> dict[str, str]:
        return self.services()[service].get("environment", {})

    def as_json(self) -> dict[str, object]:
        services = [
            {
                "name": name,
                "image": service["image"],
                "status": "running" if self.status == "running" else "exited",
                "health": "healthy",
                "started_at": f"2026-11-22T00:00:{self.restarted:02}Z",
                "restarts": 0,
            }
            for name, service in self.services().items()
        ]
        return {
            "project_id": self.project_id,
            "org_id": self.org_id,
            "name": self.name,
            "status": self.status,
            "status_reason": self.status_reason,
            "visibility": self.visibility,
            "hosts": [],
            "domains": sorted(self.domains),
            "release": self.release,
            "services": services,
        }


def compose_of(project: FakeProject, body: dict) -> dict:
    """What the release has, however it was asked for; one that was built has the project's own variables."""
    if "release" in body:
        return project.deploys[body["release"]]["compose"]
    if "git" in body:
        return {"services": {"web": {"image": "localhost/built:1", "environment": dict(project.env)}}}
    return body["compose"]


def fault_of(project: FakeProject, body: dict) -> tuple[int, str] | None:
    """The worker's own strictness: a compose body of the agreed subset, or a release that is still kept."""
    if "release" in body:
        kept = set(body) == {"release"} and body["release"] in project.active[-KEPT_RELEASES:]
        return None if kept else (404, "unknown_release")
    if "git" in body:
        return None if set(body) <= {"git", "port", "dockerfile"} else (422, "validation_failed")
    if set(body) != {"compose", "web"} or body["web"] not in body["compose"]["services"]:
        return 422, "validation_failed"
    for service in body["compose"]["services"].values():
        environment = service.get("environment", {})
        if set(service) - _SERVICE_KEYS or not all(isinstance(text, str) for text in environment.values()):
            return 422, "unsupported_compose"
    return None
