"""Everything of a project that is to be deleted, gone; each part may be removed again after a crash."""

import asyncio
from collections.abc import Callable

from worker.deploys.generation import Generations
from worker.deploys.pruning import Pruning
from worker.deploys.publication import Publication
from worker.deploys.records import Records
from worker.projects.model import Project
from worker.runtime.networks import OrgNetworks
from worker.sources.fetch import Fetcher


class Removal:
    """`on_deleted` is told when a project is gone, for those who still show it."""

    def __init__(
        self,
        records: Records,
        generations: Generations,
        networks: OrgNetworks,
        publication: Publication,
        fetcher: Fetcher,
        pruning: Pruning,
        on_deleted: Callable[[str], None],
    ) -> None:
        self._records = records
        self._generations = generations
        self._networks = networks
        self._publication = publication
        self._fetcher = fetcher
        self._pruning = pruning
        self._on_deleted = on_deleted

    async def remove(self, project: Project) -> None:
        """Volumes stay, unless the project says otherwise; images go by and by."""
        self._publication.drop(project.project_id)
        await self._generations.remove_project(project)
        await asyncio.to_thread(self._fetcher.forget, project.project_id)
        await self._records.projects.remove(project.project_id)
        self._on_deleted(project.project_id)
        await self._networks.remove_unused(project.org_id, self._records.orgs_in_use)
        self._pruning.ask()
