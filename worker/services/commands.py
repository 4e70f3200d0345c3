"""What can be asked of add-ons. Everything is recorded before it is answered; the lanes do it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from shared.clock import Clock
from worker.deploys.interruptions import Interruptions
from worker.deploys.lanes import Lanes
from worker.deploys.records import Records
from worker.errors import EngineUnavailable
from worker.projects.environment import EnvironmentCipher
from worker.projects.model import ProjectUnknown
from worker.projects.model import Wanted as ProjectWanted
from worker.runtime.engine import Engine
from worker.services.containers import seal_credentials
from worker.services.credentials import Credentials
from worker.services.model import AddOn, AddOnExists, Definition, Link, State, Wanted

REMOVE_DEADLINE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AddOnOrder:
    """What was asked for, found in the catalogue. `any_version`: kept data of another version will do.

    `name` None: the service's own; `variable` None: the catalogue's.
    """

    definition: Definition
    any_version: bool
    org_id: str
    name: str | None
    project_id: str | None
    variable: str | None


class AddOnCommands:
    def __init__(
        self,
        *,
        engine: Engine,
        records: Records,
        cipher: EnvironmentCipher,
        lanes: Lanes,
        interruptions: Interruptions,
        new_addon_id: Callable[[], str],
        clock: Clock,
    ) -> None:
        self._engine = engine
        self._store = records.addons
        self._projects = records.projects
        self._cipher = cipher
        self._lanes = lanes
        self._interruptions = interruptions
        self._new_addon_id = new_addon_id
        self._clock = clock

    async def install(self, asked: AddOnOrder) -> AddOn:
        """Raises AddOnExists, LinkTaken, ProjectUnknown (another organisation's too), EngineUnavailable.

        A name whose data were kept gets them back.
        """
        link = await self._link(asked)
        await self._engine.ping()
        name = asked.name or asked.definition.service
        kept = await self._store.named(asked.org_id, name)
        if kept is not None and kept.wanted is Wanted.KEPT:
            return await self._revive(kept, asked, link)
        addon = AddOn(
            addon_id=self._new_addon_id(),
            org_id=asked.org_id,
            name=name,
            definition=asked.definition,
            image_id=None,
            wanted=Wanted.RUNNING,
            state=State.INSTALLING,
            reason="",
            created_at=self._clock.now(),
        )
        sealed = seal_credentials(self._cipher, addon.addon_id, Credentials.generate())
        await self._store.add(addon, sealed, link)
        self._lanes.nudge(addon.addon_id)
        return addon

    async def get(self, addon_id: str) -> tuple[AddOn, list[Link]]:
        """Raises AddOnUnknown."""
        addon = await self._store.get(addon_id)
        return addon, (await self._store.links()).get(addon_id, [])

    async def all(self, org_id: str | None) -> list[tuple[AddOn, list[Link]]]:
        links = await self._store.links()
        return [(addon, links.get(addon.addon_id, [])) for addon in await self._store.all(org_id)]

    async def remove(self, addon_id: str, *, drop_volume: bool) -> None:
        """Returns when nothing is left that should not be. What was begun is finished later. Raises AddOnUnknown, EngineUnavailable."""
        await self._store.get(addon_id)
        await self._engine.ping()
        await self._store.want_gone(addon_id, Wanted.DELETED if drop_volume else Wanted.KEPT)
        self._interruptions.interrupt(addon_id)
        self._lanes.nudge(addon_id)
        try:
            async with asyncio.timeout(REMOVE_DEADLINE_S):
                await self._lanes.idle(addon_id)
        except TimeoutError:
            raise EngineUnavailable("the container is not gone yet; the removal goes on") from None
        left = await self._store.find(addon_id)
        if left is not None and left.state is State.REMOVING:
            raise EngineUnavailable("the container could not be removed; the removal will be tried again")

    async def _revive(self, kept: AddOn, asked: AddOnOrder, link: Link | None) -> AddOn:
        had = kept.definition
        same_version = asked.any_version or asked.definition.version == had.version
        if had.service != asked.definition.service or not same_version:
            raise AddOnExists(
                f"The data of {had.service} {had.version} are kept under the name {kept.name}: install the same,"
                " choose another name, or delete them."
            )
        await self._store.revive(kept.addon_id, link)
        self._lanes.nudge(kept.addon_id)
        return await self._store.get(kept.addon_id)

    async def _link(self, asked: AddOnOrder) -> Link | None:
        if asked.project_id is None:
            return None
        project = await self._projects.find(asked.project_id)
        if project is None or project.org_id != asked.org_id or project.wanted is ProjectWanted.DELETED:
            raise ProjectUnknown(f"The organisation has no project {asked.project_id} on this node.")
        return Link(project.project_id, asked.variable or asked.definition.variable)
