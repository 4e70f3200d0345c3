"""What the mesh may reach: writes the MeshTable, and knows which container stands behind each entry.

Rules:
- Every method is synchronous, so that nobody sees a half-made change.
- A backend is published only with the address of a container that was just seen healthy, and is taken out as soon as that
  container is known to have died: addresses are used again.
"""

from dataclasses import dataclass, replace

from worker.mesh.table import Backend, MeshTable, ProjectRoute
from worker.projects.model import Project
from worker.runtime.engine import ContainerSeen


@dataclass(frozen=True, slots=True)
class Published:
    """`started_at` tells one start of the container from the next."""

    container_id: str
    started_at: str
    backend: Backend
    healthy: bool = True


class Publication:
    def __init__(self, table: MeshTable) -> None:
        self._table = table
        self._published: dict[str, Published] = {}

    def hosts_of(self, project: Project) -> list[str]:
        return [*self._table.hosts_of(project.project_id), *project.domains]

    def of(self, project_id: str) -> Published | None:
        return self._published.get(project_id)

    def count(self) -> int:
        return len(self._published)

    def is_current(self, project_id: str, container: ContainerSeen, address: str) -> bool:
        """Whether what is published is this very start of this container."""
        entry = self._published.get(project_id)
        return entry is not None and (entry.container_id, entry.started_at, entry.backend.address) == (
            container.container_id,
            container.started_at,
            address,
        )

    def publish(self, project: Project, container: ContainerSeen, backend: Backend) -> Backend | None:
        """The atomic switch. The backend that was published before, for the caller to drain."""
        before = self._published.get(project.project_id)
        self._published[project.project_id] = Published(container.container_id, container.started_at, backend)
        self.refresh(project, backend.service)
        return before.backend if before is not None else None

    def refresh(self, project: Project, web_service: str) -> None:
        """After a change of names or visibility. Backends, and the requests counted in them, stay."""
        project_id = project.project_id
        entry = self._published.get(project_id)
        known = self._table.get(project_id)
        public_host, _internal = self._table.hosts_of(project_id)
        self._table.put(
            ProjectRoute(
                project_id=project_id,
                org_id=project.org_id,
                visibility=project.visibility,
                public_hosts=frozenset({public_host, *project.domains}),
                web_service=web_service,
                backends={} if entry is None else {entry.backend.service: entry.backend},
                allowed_orgs=frozenset() if known is None else known.allowed_orgs,
            )
        )

    def see_health(self, project_id: str, *, healthy: bool) -> bool:
        """Whether this is a change."""
        entry = self._published.get(project_id)
        if entry is None or entry.healthy == healthy:
            return False
        self._published[project_id] = replace(entry, healthy=healthy)
        return True

    def withdraw(self, project_id: str, container_id: str | None = None) -> Backend | None:
        """Nothing is reachable until the next `publish`. With `container_id`, only if that container is the published one."""
        entry = self._published.get(project_id)
        if entry is None or container_id not in {None, entry.container_id}:
            return None
        del self._published[project_id]
        route = self._table.get(project_id)
        if route is not None:
            self._table.put(replace(route, backends={}))
        return entry.backend

    def drop(self, project_id: str) -> None:
        self._published.pop(project_id, None)
        self._table.drop(project_id)
