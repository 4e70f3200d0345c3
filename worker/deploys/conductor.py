"""What comes next for a project: the one place that reads the records and decides."""

from collections.abc import Callable

from worker.deploys.generation import Generations
from worker.deploys.publication import Publication
from worker.deploys.records import Records
from worker.deploys.rollout import Rollout
from worker.deploys.transitions import CANDIDATE, CHOSEN
from worker.deploys.upkeep import Upkeep
from worker.projects.model import Project, Wanted
from worker.runtime import labels
from worker.runtime.networks import OrgNetworks


class Conductor:
    """`turn` runs in the project's lane; everything it needs to know survives a crash, because it is in the records.

    `on_deleted` is told when a project is gone, for those who still show it.
    """

    def __init__(
        self,
        records: Records,
        rollout: Rollout,
        upkeep: Upkeep,
        generations: Generations,
        networks: OrgNetworks,
        publication: Publication,
        on_deleted: Callable[[str], None],
    ) -> None:
        self._records = records
        self._rollout = rollout
        self._upkeep = upkeep
        self._generations = generations
        self._networks = networks
        self._publication = publication
        self._on_deleted = on_deleted

    async def turn(self, project_id: str) -> bool:
        """Does one thing; whether there may be more."""
        project = await self._records.projects.find(project_id)
        if project is None:
            return False
        if project.wanted is Wanted.DELETED:
            await self._remove(project)
            return False
        deploy = await self._records.deploys.oldest_unfinished(project_id)
        if deploy is None:
            await self._upkeep.settle(project)
            return False
        if deploy.status in CHOSEN:
            # The worker was away. What was chosen serves first, what it replaced goes after.
            await self._upkeep.bring_up(project, await self._upkeep.find_current(project))
            await self._rollout.finish(deploy)
        elif deploy.status in CANDIDATE:
            await self._rollout.begin_again(deploy)
        else:
            await self._rollout.run(project, deploy)
        return True

    async def join_networks(self) -> None:
        await self._networks.join_all()

    async def remove_orphans(self) -> int:
        """Removes our containers and networks whose project, add-on or organisation is not recorded; how many containers that were."""
        seen = await self._generations.ours()
        # Read after the listing: what is created from now on is not in it.
        known = {project.project_id for project in await self._records.projects.all()}
        known |= {addon.addon_id for addon in await self._records.addons.all()}
        orphans = [c for c in seen if labels.owner(c.labels) not in known]
        for container in orphans:
            await self._generations.retire(container.container_id)
        for org_id in await self._networks.orgs() - await self._records.orgs_in_use():
            await self._networks.remove(org_id)
        return len(orphans)

    async def _remove(self, project: Project) -> None:
        self._publication.drop(project.project_id)
        await self._generations.remove_project(project)
        await self._records.projects.remove(project.project_id)
        self._on_deleted(project.project_id)
        if project.org_id not in await self._records.orgs_in_use():
            await self._networks.remove(project.org_id)
