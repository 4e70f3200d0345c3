"""Two releases never have the same volume at once: the old one goes first, and requests wait meanwhile.

Rules:
- Only a release that mounts a volume of the running one makes it stop early; all of it, because what depends on a stopped database only fails.
- Whoever stops it here answers for the hold: it ends when something is published, or when it is certain that nothing will be.
"""

from dataclasses import dataclass

from worker.deploys.draining import drain
from worker.deploys.generation import Generations
from worker.deploys.model import ReleaseMissing
from worker.deploys.publication import Publication
from worker.deploys.records import Records
from worker.deploys.request import DeployRequest
from worker.deploys.transitions import DRAIN_S
from worker.projects.model import Project, Wanted
from worker.runtime.profile import STOP_GRACE_S


@dataclass(frozen=True, slots=True)
class Way:
    """`volumes` are those that the running release has to let go of, in the services of `services`."""

    volumes: frozenset[str] = frozenset()
    services: int = 0

    @property
    def deadline_s(self) -> float:
        """What making way may take."""
        return DRAIN_S + self.services * (STOP_GRACE_S + 5.0) if self.volumes else 0.0

    @property
    def detail(self) -> str:
        if not self.volumes:
            return "started"
        return f"the release before was stopped first, because of {', '.join(sorted(self.volumes))}"


class Handover:
    def __init__(self, generations: Generations, publication: Publication, records: Records) -> None:
        self._generations = generations
        self._publication = publication
        self._records = records

    async def plan(self, project: Project, request: DeployRequest) -> Way:
        if project.release_id is None:
            return Way()
        try:
            before = (await self._records.releases.get(project.release_id)).request
        except ReleaseMissing:
            return Way()
        return Way(before.volumes() & request.volumes(), len(before.services))

    async def make_way(self, project: Project, way: Way) -> None:
        if not way.volumes:
            return
        if project.wanted is Wanted.RUNNING:
            await drain(self._publication.hold(project.project_id))
        before = await self._generations.of_release(project.project_id, project.release_id)
        await self._generations.stop(c for c in before if c.running)
