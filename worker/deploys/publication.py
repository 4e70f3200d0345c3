"""What the mesh may reach: writes the MeshTable, and knows which container stands behind each entry.

Rules:
- Every method is synchronous, so that nobody sees a half-made change.
- A backend is published only with the address of a container that was just seen healthy, and is taken out as soon as that
  container is known to have died: addresses are used again.
- A hold is ended by whoever knows what comes next: by publishing, or by saying that nothing does.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from worker.deploys.request import WEB
from worker.mesh.hold import Hold
from worker.mesh.table import Backend, MeshTable, ProjectRoute
from worker.projects.model import Project
from worker.runtime.engine import ContainerSeen, unix_seconds


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
        self._published: dict[str, dict[str, Published]] = {}

    def hosts_of(self, project: Project) -> list[str]:
        return [*self._table.hosts_of(project.project_id), *project.domains]

    def of(self, project_id: str) -> Mapping[str, Published]:
        """By service; empty when nothing can be reached."""
        return self._published.get(project_id, {})

    def count(self) -> int:
        return len(self._published)

    def is_current(self, project_id: str, service: str, container: ContainerSeen, address: str) -> bool:
        """Whether what is published is this very start of this container."""
        entry = self.of(project_id).get(service)
        return entry is not None and (entry.container_id, entry.started_at, entry.backend.address) == (
            container.container_id,
            container.started_at,
            address,
        )

    def publish(self, project: Project, web_service: str, entries: Mapping[str, Published]) -> list[Backend]:
        """The atomic switch of all services at once. The backends that are no longer published, for the caller to drain."""
        before = self.of(project.project_id)
        self._published[project.project_id] = dict(entries)
        self.refresh(project, web_service)
        self.end_hold(project.project_id)
        kept = {id(entry.backend) for entry in entries.values()}
        return [entry.backend for entry in before.values() if id(entry.backend) not in kept]

    def refresh(self, project: Project, web_service: str | None = None) -> None:
        """After a change of names or visibility. Backends, and the requests counted in them, stay."""
        project_id = project.project_id
        known = self._table.get(project_id)
        public_host, _internal = self._table.hosts_of(project_id)
        self._table.put(
            ProjectRoute(
                project_id=project_id,
                org_id=project.org_id,
                visibility=project.visibility,
                public_hosts=frozenset({public_host, *project.domains}),
                web_service=web_service or (WEB if known is None else known.web_service),
                backends={service: entry.backend for service, entry in self.of(project_id).items()},
                allowed_orgs=frozenset() if known is None else known.allowed_orgs,
                hold=None if known is None else known.hold,
            )
        )

    def see_health(self, project_id: str, service: str, *, healthy: bool) -> bool:
        """Whether this is a change."""
        entry = self.of(project_id).get(service)
        if entry is None or entry.healthy == healthy:
            return False
        self._published[project_id][service] = replace(entry, healthy=healthy)
        return True

    def see_death(self, project_id: str, container_id: str, died_at: float) -> None:
        """Takes out what that container stands behind, unless it was started again since: news of a death may come late. Unix seconds."""
        for entry in self.of(project_id).values():
            if entry.container_id == container_id and unix_seconds(entry.started_at) < died_at:
                self.withdraw(project_id, container_id)
                return

    def withdraw(self, project_id: str, container_id: str | None = None) -> list[Backend]:
        """Nothing is reachable until the next `publish`. With `container_id`, only what that container stands behind."""
        entries = self._published.get(project_id, {})
        gone = [service for service, entry in entries.items() if container_id in {None, entry.container_id}]
        backends = [entries.pop(service).backend for service in gone]
        if not entries:
            self._published.pop(project_id, None)
        route = self._table.get(project_id)
        if route is not None and gone:
            left = {service: entry.backend for service, entry in entries.items()}
            self._table.put(replace(route, backends=left))
        return backends

    def hold(self, project_id: str) -> list[Backend]:
        """Withdraws, and lets requests wait instead of being refused."""
        route = self._table.get(project_id)
        if route is not None and route.hold is None:
            self._table.put(replace(route, hold=Hold()))
        return self.withdraw(project_id)

    def is_held(self, project_id: str) -> bool:
        route = self._table.get(project_id)
        return route is not None and route.hold is not None

    def end_hold(self, project_id: str) -> None:
        route = self._table.get(project_id)
        if route is not None and route.hold is not None:
            self._table.put(replace(route, hold=None))
            route.hold.end()

    def drop(self, project_id: str) -> None:
        self.end_hold(project_id)
        self._published.pop(project_id, None)
        self._table.drop(project_id)
