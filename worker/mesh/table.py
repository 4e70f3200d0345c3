"""Which backend a host name has right now. The seam between deploying (which writes it) and the mesh (which reads it)."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from worker.mesh.hold import Hold


class Visibility(StrEnum):
    PRIVATE = "private"
    PUBLIC = "public"


@dataclass(slots=True, eq=False, weakref_slot=True)
class Backend:
    """One service of one running release. `in_flight` is counted by the mesh and waited for by the drain.

    `started_at` tells one start of the container from the next.
    """

    service: str
    address: str
    port: int
    release: str
    container_id: str = ""
    started_at: str = ""
    in_flight: int = 0
    idle: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.idle.set()

    def enter(self) -> None:
        self.in_flight += 1
        self.idle.clear()

    def leave(self) -> None:
        self.in_flight -= 1
        if self.in_flight == 0:
            self.idle.set()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectRoute:
    """How one project is reached. `backends` is empty while it is stopped or not yet healthy (503), or, with a `hold`, between two
    releases (requests wait).

    `public_hosts` are the names below the public suffix and the project's own domains, lower-case, without port. `allowed_orgs`
    is what `MeshTable.allow` says.
    """

    project_id: str
    org_id: str
    visibility: Visibility
    public_hosts: frozenset[str]
    web_service: str
    backends: dict[str, Backend]
    allowed_orgs: frozenset[str] = frozenset()
    hold: Hold | None = None


Grant = tuple[str, frozenset[str]]
"""The organisation that owned the project when it was granted, and those that may use it."""


@dataclass(frozen=True, slots=True)
class Found:
    """A host that is known here. `backend` is None when the project (or service) is not running."""

    route: ProjectRoute
    backend: Backend | None
    internal: bool


class MeshTable:
    """Replaced per project in one assignment, so that a reader on the loop sees the old route or the new one, never half."""

    def __init__(self, internal_suffix: str, public_suffix: str) -> None:
        self._internal_suffix = "." + internal_suffix.lower().strip(".")
        self._public_suffix = "." + public_suffix.lower().strip(".")
        self._projects: dict[str, ProjectRoute] = {}
        self._owners: dict[str, str] = {}
        self._grants: Mapping[str, Grant] = {}
        self.changed = asyncio.Event()
        """Set by every change; whoever follows the table clears it. For one follower."""

    def put(self, route: ProjectRoute) -> None:
        self._forget_hosts(route.project_id)
        self._projects[route.project_id] = self._granted(route)
        self.changed.set()
        for host in route.public_hosts:
            self._owners[host] = route.project_id

    def drop(self, project_id: str) -> None:
        self._forget_hosts(project_id)
        self._projects.pop(project_id, None)
        self.changed.set()

    def allow(self, grants: Mapping[str, Grant]) -> None:
        """From now on these, and only these, organisations may use another's project; by project id."""
        if grants != self._grants:
            self._grants = dict(grants)
            self.changed.set()
            for project_id, route in self._projects.items():
                self._projects[project_id] = self._granted(route)

    def get(self, project_id: str) -> ProjectRoute | None:
        return self._projects.get(project_id)

    def routes(self) -> Iterable[ProjectRoute]:
        return self._projects.values()

    def hosts_of(self, project_id: str) -> tuple[str, str]:
        """The public and the internal name that every project has."""
        return project_id + self._public_suffix, project_id + self._internal_suffix

    def find(self, host: str) -> Found | None:
        """`host` is a lower-case name without port or trailing dot."""
        if host.endswith(self._internal_suffix):
            *service, project_id = host.removesuffix(self._internal_suffix).split(".")
            route = self._projects.get(project_id)
            if route is None or len(service) > 1:
                return None
            return Found(
                route, route.backends.get(service[0] if service else route.web_service), internal=True
            )
        # A project's own name comes before any domain, so that nobody can claim `other.<public suffix>` as a domain.
        own_name = host.removesuffix(self._public_suffix) if host.endswith(self._public_suffix) else ""
        route = self._projects.get(own_name) or self._projects.get(self._owners.get(host, ""))
        return None if route is None else Found(route, route.backends.get(route.web_service), internal=False)

    def _granted(self, route: ProjectRoute) -> ProjectRoute:
        owner, orgs = self._grants.get(route.project_id, ("", frozenset()))
        allowed = orgs if owner == route.org_id else frozenset()
        return route if route.allowed_orgs == allowed else replace(route, allowed_orgs=allowed)

    def _forget_hosts(self, project_id: str) -> None:
        known = self._projects.get(project_id)
        for host in known.public_hosts if known else ():
            if self._owners.get(host) == project_id:
                del self._owners[host]
