"""What can be asked of a project's deploys and of its running release."""

import asyncio
from collections.abc import Callable

from worker.deploys.interruptions import Interruptions
from worker.deploys.lanes import Lanes
from worker.deploys.model import Deploy, Release, ReleaseMissing, Step
from worker.deploys.records import Records
from worker.deploys.request import DeployRequest
from worker.deploys.transitions import ENDED
from worker.projects.model import Project, State, Wanted
from worker.runtime.engine import Engine, Limits

CANCEL_WAIT_S = 10.0


class DeployCommands:
    """Everything is recorded before it is answered; the lanes do it."""

    def __init__(
        self,
        engine: Engine,
        records: Records,
        lanes: Lanes,
        interruptions: Interruptions,
        new_deploy_id: Callable[[], str],
    ) -> None:
        self._engine = engine
        self._records = records
        self._lanes = lanes
        self._interruptions = interruptions
        self._new_deploy_id = new_deploy_id

    async def deploy(self, project_id: str, request: DeployRequest, key: str | None) -> Deploy:
        """Queued, or the deploy that the same `key` made before. Raises EngineUnavailable rather than queue in the dark."""
        await self._records.projects.get(project_id)
        await self._engine.ping()
        deploy = await self._records.deploys.add(self._new_deploy_id(), project_id, request, key)
        self._lanes.nudge(project_id)
        return deploy

    async def run_again(self, project_id: str, release_id: str, key: str | None) -> Deploy:
        """A kept release as it was: images, services and variables. Raises ReleaseUnknown, EngineUnavailable."""
        await self._records.projects.get(project_id)
        release = await self._records.releases.of_project(project_id, release_id)
        request = release.request.again(release_id, fresh_environment=False)
        return await self.deploy(project_id, request, key)

    async def redeploy(self, project_id: str) -> Deploy | None:
        """The current release again, with the environment as it is now; None when there is no release."""
        project = await self._records.projects.get(project_id)
        if project.release_id is None:
            return None
        release = await self._records.releases.get(project.release_id)
        request = release.request.again(release.release_id, fresh_environment=True)
        return await self.deploy(project_id, request, None)

    async def limits(self, project_id: str) -> Limits:
        return (await self._records.projects.get(project_id)).limits

    async def wait(self, project_id: str, deploy_id: str, seconds: float) -> Deploy:
        """The deploy once it has ended, or as it is after `seconds`."""

        async def has_ended() -> bool:
            return (await self._records.deploys.get(project_id, deploy_id)).status in ENDED

        try:
            async with asyncio.timeout(seconds):
                await self._lanes.until(project_id, has_ended)
        except TimeoutError:
            pass
        return await self._records.deploys.get(project_id, deploy_id)

    async def get(self, project_id: str, deploy_id: str) -> tuple[Deploy, list[Step]]:
        """Raises DeployUnknown."""
        await self._records.projects.get(project_id)
        return await self._records.deploys.get(project_id, deploy_id), await self._records.deploys.steps(
            deploy_id
        )

    async def newest(self, project_id: str, limit: int) -> list[Deploy]:
        await self._records.projects.get(project_id)
        return await self._records.deploys.newest(project_id, limit)

    async def releases(self, project_id: str) -> tuple[Project, list[Release]]:
        project = await self._records.projects.get(project_id)
        return project, await self._records.releases.newest(project_id)

    async def cancel(self, project_id: str, deploy_id: str) -> Deploy:
        """Raises DeployUnknown, DeployPastCancelling."""
        await self._records.projects.get(project_id)
        await self._records.deploys.cancel(project_id, deploy_id)
        self._interruptions.interrupt(project_id)
        self._lanes.nudge(project_id)
        return await self.wait(project_id, deploy_id, CANCEL_WAIT_S)

    async def start(self, project_id: str) -> Project:
        """Raises ReleaseMissing, EngineUnavailable."""
        project = await self._with_release(project_id)
        if project.wanted is not Wanted.RUNNING or project.state not in {State.RUNNING, State.STARTING}:
            await self._records.projects.see(project_id, State.STARTING)
        await self._records.projects.want(project_id, Wanted.RUNNING)
        self._lanes.nudge(project_id)
        return await self._records.projects.get(project_id)

    async def stop(self, project_id: str) -> Project:
        """The release is kept. Deploys in progress are cancelled. Raises EngineUnavailable."""
        await self._records.projects.get(project_id)
        await self._engine.ping()
        await self._records.deploys.stop_project(project_id)
        self._interruptions.interrupt(project_id)
        self._lanes.nudge(project_id)
        return await self._records.projects.get(project_id)

    async def restart(self, project_id: str) -> Project:
        """Raises ReleaseMissing, EngineUnavailable."""
        await self._with_release(project_id)
        await self._records.projects.want_restart(project_id)
        self._lanes.nudge(project_id)
        return await self._records.projects.get(project_id)

    async def _with_release(self, project_id: str) -> Project:
        project = await self._records.projects.get(project_id)
        if project.release_id is None:
            raise ReleaseMissing(f"The project {project_id} has no release yet: deploy something first.")
        await self._engine.ping()
        return project
