"""The container and the volume of an add-on: made from its record alone, found again by their labels."""

from collections.abc import Awaitable, Callable

from worker.projects.environment import EnvironmentCipher
from worker.runtime import labels
from worker.runtime.engine import ContainerListed, ContainerSpec, Engine, MountedVolume
from worker.runtime.networks import OrgNetworks
from worker.runtime.profile import STOP_GRACE_S
from worker.services.credentials import Credentials, environment_of
from worker.services.model import AddOn


def seal_credentials(cipher: EnvironmentCipher, addon_id: str, credentials: Credentials) -> bytes:
    return cipher.seal(f"addon/{addon_id}", credentials.to_variables())


def open_credentials(cipher: EnvironmentCipher, addon_id: str, sealed: bytes) -> Credentials:
    """Raises EnvironmentUnreadable."""
    return Credentials.from_variables(cipher.open(f"addon/{addon_id}", sealed))


class AddOnContainers:
    """Acts on what carries our instance label and an add-on's, and on nothing else."""

    def __init__(self, engine: Engine, networks: OrgNetworks, instance: str) -> None:
        self._engine = engine
        self._networks = networks
        self._instance = instance

    async def create(self, addon: AddOn, image_id: str, credentials: Credentials) -> str:
        """The id of a created container. Its volume is made before it, or is the one that was kept. Raises NetworkPoolExhausted."""
        marks = {**self._marks(addon.addon_id), labels.ORG: addon.org_id, labels.SERVICE: addon.name}
        volume = f"{addon.addon_id}.data"
        await self._engine.create_volume(volume, marks)
        spec = ContainerSpec(
            name=f"{addon.definition.service}.{addon.addon_id}",
            image_id=image_id,
            command=addon.definition.command,
            environment=environment_of(addon, credentials),
            labels=marks,
            network=await self._networks.ensure(addon.org_id),
            limits=addon.definition.limits,
            mounts=(MountedVolume(volume, addon.definition.volume, read_only=False),),
            probe=addon.definition.health,
            aliases=(addon.host,),
        )
        return await self._engine.create(spec)

    async def of(self, addon_id: str) -> list[ContainerListed]:
        return await self._engine.containers(self._marks(addon_id))

    async def retire(self, container_id: str) -> None:
        """SIGTERM, ten seconds, SIGKILL, gone."""
        await self._engine.stop(container_id, STOP_GRACE_S)
        await self._engine.remove(container_id)

    async def leave(self, org_id: str, orgs_in_use: Callable[[], Awaitable[set[str]]]) -> None:
        """Unless the organisation still has something on this node."""
        await self._networks.remove_unused(org_id, orgs_in_use)

    async def remove_volume(self, addon_id: str) -> None:
        await self._engine.remove_volumes(self._marks(addon_id))

    def _marks(self, addon_id: str) -> dict[str, str]:
        return {labels.INSTANCE: self._instance, labels.ADDON: addon_id}
