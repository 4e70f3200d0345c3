"""Containers of a release: made from its record alone, found again by their labels."""

from dataclasses import dataclass

from worker.deploys.model import WEB, HealthCheck, Release
from worker.projects.environment import EnvironmentCipher
from worker.projects.model import Project
from worker.runtime import labels
from worker.runtime.engine import ContainerListed, ContainerSpec, Engine
from worker.runtime.networks import OrgNetworks
from worker.runtime.profile import STOP_GRACE_S


@dataclass(frozen=True, slots=True)
class Created:
    """A container that exists and was not started; `network` is where its address will be."""

    container_id: str
    network: str


class Generations:
    """Acts on the containers of one release or project, and only on those with our instance label."""

    def __init__(
        self, engine: Engine, networks: OrgNetworks, cipher: EnvironmentCipher, instance: str
    ) -> None:
        self._engine = engine
        self._networks = networks
        self._cipher = cipher
        self._instance = instance

    def network_of(self, project: Project) -> str:
        return self._networks.name(project.org_id)

    async def create(self, project: Project, release: Release) -> Created:
        """Whatever is left of the release is removed first. Raises NetworkPoolExhausted, EnvironmentUnreadable."""
        environment = self._cipher.open(project.project_id, release.environment)
        await self.remove_release(project.project_id, release.release_id)
        network = await self._networks.ensure(project.org_id)
        spec = ContainerSpec(
            name=f"{project.project_id}.{release.release_id}",
            image_id=release.image_id,
            command=release.request.command,
            environment={**environment, "PORT": str(release.request.port)},
            labels=self._labels(project, release.release_id),
            network=network,
            limits=project.limits,
        )
        return Created(await self._engine.create(spec), network)

    async def of_project(self, project_id: str) -> list[ContainerListed]:
        return await self._engine.containers({labels.INSTANCE: self._instance, labels.PROJECT: project_id})

    async def ours(self) -> list[ContainerListed]:
        return await self._engine.containers({labels.INSTANCE: self._instance})

    async def remove_release(self, project_id: str, release_id: str) -> None:
        for container in await self.of_project(project_id):
            if container.labels.get(labels.RELEASE) == release_id:
                await self._engine.remove(container.container_id)

    async def keep_running(self, project_id: str, release_id: str) -> None:
        """From now on the engine restarts it when it ends, and when the machine boots."""
        for container in await self.of_project(project_id):
            if container.labels.get(labels.RELEASE) == release_id:
                await self._engine.keep_running(container.container_id, on=True)

    async def retire(self, container_id: str) -> None:
        """SIGTERM, ten seconds, SIGKILL, gone."""
        await self._engine.stop(container_id, STOP_GRACE_S)
        await self._engine.remove(container_id)

    async def remove_project(self, project: Project) -> None:
        """Containers, and the named volumes when the project says so."""
        for container in await self.of_project(project.project_id):
            await self.retire(container.container_id)
        if project.drop_volumes:
            await self._engine.remove_volumes(
                {labels.INSTANCE: self._instance, labels.PROJECT: project.project_id}
            )

    def _labels(self, project: Project, release_id: str) -> dict[str, str]:
        return {
            labels.INSTANCE: self._instance,
            labels.PROJECT: project.project_id,
            labels.ORG: project.org_id,
            labels.SERVICE: WEB,
            labels.RELEASE: release_id,
        }


STABLE_AFTER_S = 10.0


def least_uptime(check: HealthCheck) -> float:
    """A new release without a health path must have been up for ten seconds: accepting a connection proves little."""
    return 0.0 if check.path is not None else STABLE_AFTER_S
