"""The tables of the worker's database, which belong together: one file, one set of migrations."""

from dataclasses import dataclass

from worker.deploys.images import FetchedImages
from worker.deploys.releases import ReleaseStore
from worker.deploys.store import DeployStore
from worker.events.log import EventLog
from worker.projects.store import ProjectStore
from worker.services.store import AddOnStore


@dataclass(frozen=True, slots=True)
class Records:
    projects: ProjectStore
    deploys: DeployStore
    releases: ReleaseStore
    events: EventLog
    images: FetchedImages
    addons: AddOnStore

    async def orgs_in_use(self) -> set[str]:
        """The organisations whose network must stay."""
        return await self.projects.orgs() | await self.addons.orgs()
