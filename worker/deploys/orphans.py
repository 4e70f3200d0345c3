"""What is on the engine under our label although nobody has recorded it."""

from worker.deploys.generation import Generations
from worker.deploys.pruning import Pruning
from worker.deploys.records import Records
from worker.runtime import labels
from worker.runtime.networks import OrgNetworks


class Orphans:
    def __init__(
        self, records: Records, generations: Generations, networks: OrgNetworks, pruning: Pruning
    ) -> None:
        self._records = records
        self._generations = generations
        self._networks = networks
        self._pruning = pruning

    async def join_networks(self) -> None:
        await self._networks.join_all()

    async def remove(self) -> int:
        """Containers and networks whose project, add-on or organisation is not recorded; how many containers that were."""
        seen = await self._generations.ours()
        release_networks = await self._networks.of_releases()
        # Read after the listings: what is created from now on is not in them.
        known = {project.project_id for project in await self._records.projects.all()}
        known |= {addon.addon_id for addon in await self._records.addons.all()}
        orphans = [c for c in seen if labels.owner(c.labels) not in known]
        await self._generations.retire(orphans)
        for network in release_networks:
            if network.labels.get(labels.PROJECT) not in known:
                await self._networks.remove_release(network)
        for org_id in await self._networks.orgs() - await self._records.orgs_in_use():
            await self._networks.remove_unused(org_id, self._records.orgs_in_use)
        self._pruning.ask()
        return len(orphans)
