"""What comes next for a project: the one place that reads the records and decides."""

from worker.deploys.model import Deploy
from worker.deploys.pruning import Pruning
from worker.deploys.publication import Publication
from worker.deploys.records import Records
from worker.deploys.removal import Removal
from worker.deploys.rollout import Rollout
from worker.deploys.transitions import CANDIDATE, CHOSEN
from worker.deploys.upkeep import Upkeep
from worker.projects.model import Project, State, Wanted


class Conductor:
    """`turn` runs in the project's lane; everything it needs to know survives a crash, because it is in the records."""

    def __init__(
        self,
        records: Records,
        rollout: Rollout,
        upkeep: Upkeep,
        removal: Removal,
        publication: Publication,
        pruning: Pruning,
    ) -> None:
        self._records = records
        self._rollout = rollout
        self._upkeep = upkeep
        self._removal = removal
        self._publication = publication
        self._pruning = pruning

    async def turn(self, project_id: str) -> bool:
        """Does one thing; whether there may be more."""
        project = await self._records.projects.find(project_id)
        if project is None:
            return False
        if project.wanted is Wanted.DELETED:
            await self._removal.remove(project)
            return False
        deploy = await self._records.deploys.oldest_unfinished(project_id)
        if deploy is None:
            await self._upkeep.settle(project)
            return False
        if deploy.status in CHOSEN:
            # The worker was away. What was chosen serves first, what it replaced goes after.
            await self._upkeep.bring_up(project, await self._upkeep.find_current(project))
            await self._rollout.finish(deploy)
            self._pruning.ask()
        elif deploy.status in CANDIDATE:
            await self._rollout.begin_again(deploy)
        else:
            await self._run(project, deploy)
        return True

    async def _run(self, project: Project, deploy: Deploy) -> None:
        if self._must_serve_first(project, deploy):
            await self._upkeep.settle(project)
        await self._rollout.run(project, deploy)
        self._pruning.ask()
        after = await self._records.projects.find(project.project_id)
        if after is not None and self._publication.is_held(project.project_id):
            # The deploy came to nothing after the running release had made way for it.
            await self._upkeep.settle(after)

    def _must_serve_first(self, project: Project, deploy: Deploy) -> bool:
        """After a restart of the worker: what was running serves while the deploy is prepared anew."""
        return (
            deploy.attempts > 0
            and project.state is State.RUNNING
            and project.release_id is not None
            and not self._publication.of(project.project_id)
        )
