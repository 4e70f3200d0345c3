"""Containers of a release: made from its record alone, found again by their labels."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from worker.deploys.model import Release
from worker.deploys.request import DeployRequest, HealthCheck, Restart, Service
from worker.projects.environment import EnvironmentCipher
from worker.projects.model import Project
from worker.runtime import labels
from worker.runtime.engine import ContainerListed, ContainerProbe, ContainerSpec, Engine, MountedVolume
from worker.runtime.networks import OrgNetworks
from worker.runtime.profile import STOP_GRACE_S

_PROBE_INTERVAL_S = 5.0


@dataclass(frozen=True, slots=True)
class Created:
    """Containers that exist and were not started, by service; `network` is where their addresses will be."""

    containers: Mapping[str, str]
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
        await self.remove_release(project.project_id, release.release_id)
        containers = {
            service.name: await self.create_service(project, release, service)
            for service in release.request.services
        }
        return Created(containers, self.network_of(project))

    async def create_service(self, project: Project, release: Release, service: Service) -> str:
        """The id of a new container. The volumes that it needs are made, or found as an earlier release left them."""
        variables = self._cipher.open(project.project_id, release.environment)
        port = {} if service.port is None else {"PORT": str(service.port)}
        network = await self._networks.ensure(project.org_id)
        alone = len(release.request.services) == 1
        spec = ContainerSpec(
            name=f"{project.project_id}.{release.release_id}" + ("" if alone else f".{service.name}"),
            image_id=release.images[service.name].image_id,
            command=service.command,
            entrypoint=service.entrypoint,
            environment={**variables, **port, **service.environment},
            labels=self._labels(project, release, service.name),
            network=network,
            limits=service.limits or project.limits,
            mounts=await self._mounts(project, service),
            probe=_probe(service.healthcheck),
        )
        container_id = await self._engine.create(spec)
        if not alone:
            inner = await self._networks.ensure_release(self._marks(project, release))
            await self._engine.connect(inner, container_id, (service.name,))
        return container_id

    async def of_project(self, project_id: str) -> list[ContainerListed]:
        return await self._engine.containers({labels.INSTANCE: self._instance, labels.PROJECT: project_id})

    async def of_release(self, project_id: str, release_id: str | None) -> list[ContainerListed]:
        containers = await self.of_project(project_id)
        return [c for c in containers if c.labels.get(labels.RELEASE) == release_id]

    async def ours(self) -> list[ContainerListed]:
        return await self._engine.containers({labels.INSTANCE: self._instance})

    async def check_engine(self) -> None:
        """Raises EngineUnavailable."""
        await self._engine.ping()

    async def last_words(self, project_id: str, release_id: str, lines: int) -> list[tuple[str, list[str]]]:
        """The last lines of each container of a release, with the name of its service."""
        return [
            (
                container.labels.get(labels.SERVICE, ""),
                await self._engine.log_tail(container.container_id, lines),
            )
            for container in await self.of_release(project_id, release_id)
        ]

    async def remove_release(self, project_id: str, release_id: str) -> None:
        for container in await self.of_release(project_id, release_id):
            await self._engine.remove(container.container_id)
        await self._remove_networks(project_id, lambda release: release == release_id)

    async def retire_others(self, project_id: str, release_id: str | None) -> None:
        """Whatever does not belong to that release ends and goes, with its network."""
        containers = await self.of_project(project_id)
        await self.retire(c for c in containers if c.labels.get(labels.RELEASE) != release_id)
        await self._remove_networks(project_id, lambda release: release != release_id)

    async def keep_running(self, project_id: str, release_id: str, request: DeployRequest) -> None:
        """From now on the engine restarts what ends although it should not, also when the machine boots."""
        for container in await self.of_release(project_id, release_id):
            service = request.service(container.labels[labels.SERVICE])
            await self.keep_service_running(container.container_id, service)

    async def keep_service_running(self, container_id: str, service: Service) -> None:
        if service.restart is not Restart.NEVER:
            await self._engine.keep_running(
                container_id, on=True, only_failed=service.restart is Restart.ON_FAILURE
            )

    async def stop(self, containers: Iterable[ContainerListed]) -> None:
        """SIGTERM, ten seconds, SIGKILL; what others depend on last."""
        for container in sorted(containers, key=_position, reverse=True):
            await self._engine.stop(container.container_id, STOP_GRACE_S)

    async def retire(self, containers: Iterable[ContainerListed]) -> None:
        """Stopped, and gone."""
        going = sorted(containers, key=_position, reverse=True)
        for container in going:
            await self._engine.stop(container.container_id, STOP_GRACE_S)
            await self._engine.remove(container.container_id)

    async def remove_project(self, project: Project) -> None:
        """Containers and networks of releases, and the named volumes when the project says so."""
        await self.retire(await self.of_project(project.project_id))
        await self._remove_networks(project.project_id, lambda _release: True)
        if project.drop_volumes:
            await self._engine.remove_volumes(self._owner(project))

    async def _mounts(self, project: Project, service: Service) -> tuple[MountedVolume, ...]:
        mounts = []
        for mount in service.mounts:
            name = volume_name(self._instance, project.org_id, project.project_id, mount.volume)
            await self._engine.create_volume(name, {**self._owner(project), labels.VOLUME: mount.volume})
            mounts.append(MountedVolume(name, mount.path, mount.read_only))
        return tuple(mounts)

    async def _remove_networks(self, project_id: str, applies: Callable[[str], bool]) -> None:
        for network in await self._networks.of_releases():
            if network.labels.get(labels.PROJECT) == project_id and applies(network.labels[labels.RELEASE]):
                await self._networks.remove_release(network)

    def _labels(self, project: Project, release: Release, service: str) -> dict[str, str]:
        names = [one.name for one in release.request.services]
        return {
            **self._marks(project, release),
            labels.SERVICE: service,
            labels.POSITION: str(names.index(service)),
        }

    def _marks(self, project: Project, release: Release) -> dict[str, str]:
        return {**self._owner(project), labels.RELEASE: release.release_id}

    def _owner(self, project: Project) -> dict[str, str]:
        return {
            labels.INSTANCE: self._instance,
            labels.PROJECT: project.project_id,
            labels.ORG: project.org_id,
        }


def volume_name(instance: str, org_id: str, project_id: str, volume: str) -> str:
    """The organisation is part of it: a volume that outlived its project is never found by a later project of somebody else."""
    owner = hashlib.sha256(f"{org_id}/{project_id}".encode()).hexdigest()[:16]
    return f"plane-{instance[2:10]}-{owner}-{volume}"


def _probe(check: HealthCheck) -> ContainerProbe | None:
    if check.test is None:
        return None
    return ContainerProbe(
        test=check.test,
        interval_s=check.interval_s or _PROBE_INTERVAL_S,
        timeout_s=check.timeout_s,
        start_period_s=check.start_period_s,
        retries=check.retries,
    )


def _position(container: ContainerListed) -> int:
    return int(container.labels.get(labels.POSITION, "0"))
