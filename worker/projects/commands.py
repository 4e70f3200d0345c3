"""What can be done to a project that is not a deploy."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from worker.deploys.interruptions import Interruptions
from worker.deploys.lanes import Lanes
from worker.deploys.publication import Publication
from worker.deploys.records import Records
from worker.errors import EngineUnavailable
from worker.mesh.table import Visibility
from worker.projects.environment import EnvironmentCipher, merged
from worker.projects.model import Project, checked_domain
from worker.projects.store import Sealed
from worker.runtime.engine import Engine
from worker.runtime.networks import OrgNetworks

DELETE_DEADLINE_S = 60.0


@dataclass(frozen=True, slots=True)
class NewProject:
    """A project to be, and the secret of its webhook."""

    project: Project
    webhook_secret: str | None


class ProjectCommands:
    def __init__(
        self,
        *,
        engine: Engine,
        networks: OrgNetworks,
        records: Records,
        publication: Publication,
        cipher: EnvironmentCipher,
        lanes: Lanes,
        interruptions: Interruptions,
    ) -> None:
        self._engine = engine
        self._networks = networks
        self._projects = records.projects
        self._deploys = records.deploys
        self._publication = publication
        self._cipher = cipher
        self._lanes = lanes
        self._interruptions = interruptions
        self._environment_turn = asyncio.Lock()

    async def publish_all(self) -> None:
        """At start: every recorded project is known to the mesh, and answers 503 until its container has been seen."""
        for project in await self._projects.all():
            self._publication.refresh(project)

    async def create(self, new: NewProject, reserved_suffixes: tuple[str, ...]) -> Project:
        """Raises ProjectExists, DomainTaken, DomainInvalid, EngineUnavailable, NetworkPoolExhausted; then nothing is recorded.

        A network that was made for it is taken away by the next look for orphans.
        """
        for domain in new.project.domains:
            checked_domain(domain, reserved_suffixes)
        project_id = new.project.project_id
        secret = new.webhook_secret
        sealed = (
            None if secret is None else self._cipher.seal(f"webhook/{project_id}", {"webhook_secret": secret})
        )
        with self._networks.kept(new.project.org_id):
            await self._networks.ensure(new.project.org_id)
            await self._projects.add(new.project, Sealed(None, sealed))
        self._publication.refresh(new.project)
        return new.project

    async def delete(self, project_id: str, *, drop_volumes: bool) -> None:
        """Returns when nothing is left. What was begun is finished later when the engine goes away. Raises EngineUnavailable."""
        await self.get(project_id)
        await self._engine.ping()
        await self._deploys.cancel_all(project_id)
        await self._projects.want_deleted(project_id, drop_volumes=drop_volumes)
        self._interruptions.interrupt(project_id)
        self._lanes.nudge(project_id)
        try:
            async with asyncio.timeout(DELETE_DEADLINE_S):
                await self._lanes.idle(project_id)
        except TimeoutError:
            raise EngineUnavailable("the containers are not gone yet; the deletion goes on") from None
        if await self._projects.find(project_id) is not None:
            raise EngineUnavailable("the containers could not be removed; the deletion will be tried again")

    async def set_environment(
        self, project_id: str, changes: Mapping[str, str | None], *, merge: bool
    ) -> list[str]:
        """The names that are set afterwards, sorted. Raises EnvironmentInvalid, EnvironmentUnreadable."""
        await self.get(project_id)
        # What is merged is read first: of two at a time, one would be lost.
        async with self._environment_turn:
            stored = await self._projects.environment(project_id) if merge else None
            variables = merged(self._cipher.open(project_id, stored), changes, merge=merge)
            await self._projects.set_environment(project_id, self._cipher.seal(project_id, variables))
        return sorted(variables)

    async def add_domain(self, project_id: str, domain: str, reserved_suffixes: tuple[str, ...]) -> list[str]:
        """Raises DomainInvalid, DomainTaken."""
        await self.get(project_id)
        await self._projects.add_domain(project_id, checked_domain(domain, reserved_suffixes))
        return await self._republish(project_id)

    async def remove_domain(self, project_id: str, domain: str) -> list[str]:
        """No error when the project does not have it."""
        await self.get(project_id)
        await self._projects.remove_domain(project_id, domain.lower().removesuffix("."))
        return await self._republish(project_id)

    async def set_visibility(self, project_id: str, visibility: Visibility) -> None:
        await self.get(project_id)
        await self._projects.set_visibility(project_id, visibility)
        await self._republish(project_id)

    async def get(self, project_id: str) -> Project:
        """Raises ProjectUnknown, also for one that is being deleted."""
        return await self._projects.get(project_id)

    async def _republish(self, project_id: str) -> list[str]:
        project = await self.get(project_id)
        self._publication.refresh(project)
        return list(project.domains)
