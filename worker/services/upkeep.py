"""Brings an add-on to what is recorded about it: after a request, an event, a crash, and every thirty seconds."""

import asyncio

import structlog

from shared.clock import Clock
from worker.deploys.interruptions import Interrupted, Interruptions
from worker.deploys.pins import Pins
from worker.deploys.records import Records
from worker.errors import ContainerGone
from worker.projects.environment import EnvironmentCipher, EnvironmentUnreadable
from worker.runtime.engine import ContainerListed, ContainerSeen, Engine, EngineRefused, ImageUnavailable
from worker.runtime.networks import NetworkPoolExhausted
from worker.services.backoff import Backoff
from worker.services.containers import AddOnContainers, open_credentials
from worker.services.credentials import without_secrets
from worker.services.model import AddOn, State, Wanted

HEALTHY_WITHIN_S = 300.0
LOOK_EVERY_S = 0.5
LOG_LINES = 10

log = structlog.get_logger("addons")


class AddOnUnhealthy(Exception):
    """It did not become healthy; the message says why."""


_FAILURES = (
    AddOnUnhealthy,
    ImageUnavailable,
    EngineRefused,
    NetworkPoolExhausted,
    EnvironmentUnreadable,
)


class AddOnUpkeep:
    """`turn` runs in the add-on's lane.

    Failure policy: an add-on that cannot be brought up is `failed` with the reason, and is tried again, less and less often.
    """

    def __init__(
        self,
        *,
        engine: Engine,
        containers: AddOnContainers,
        records: Records,
        pins: Pins,
        cipher: EnvironmentCipher,
        interruptions: Interruptions,
        clock: Clock,
    ) -> None:
        self._engine = engine
        self._containers = containers
        self._records = records
        self._pins = pins
        self._store = records.addons
        self._cipher = cipher
        self._interruptions = interruptions
        self._clock = clock
        self._backoff = Backoff()

    async def turn(self, addon_id: str) -> bool:
        """A `worker.deploys.lanes.Turn`."""
        addon = await self._store.find(addon_id)
        if addon is None:
            return False
        if addon.wanted is not Wanted.RUNNING:
            await self._take_down(addon)
        elif addon.state is not State.FAILED or not self._backoff.is_waiting(
            addon_id, self._clock.monotonic()
        ):
            await self._bring_up(addon)
        return False

    async def _bring_up(self, addon: AddOn) -> None:
        try:
            async with self._interruptions.allowed(addon.addon_id):
                container_id = await self._running(addon)
                await self._until_healthy(addon, container_id)
                if await self._state(addon) is not State.RUNNING:
                    await self._engine.keep_running(container_id, on=True)
                    await self._store.see(addon.addon_id, State.RUNNING)
        except Interrupted:
            log.info("addon_interrupted", addon=addon.addon_id)
        except ContainerGone:
            # Once it has gone, which is an event, it is made again.
            log.info("addon_removed_while_started", addon=addon.addon_id)
        except _FAILURES as error:
            await self._fail(addon, error)
        else:
            self._backoff.forget(addon.addon_id)

    async def _take_down(self, addon: AddOn) -> None:
        self._backoff.forget(addon.addon_id)
        for container in await self._containers.of(addon.addon_id):
            await self._containers.retire(container.container_id)
        if addon.wanted is Wanted.DELETED:
            await self._containers.remove_volume(addon.addon_id)
            await self._store.remove(addon.addon_id)
            self._pins.release()
        else:
            await self._store.see_kept(addon.addon_id)
        await self._containers.leave(addon.org_id, self._records.orgs_in_use)

    async def _running(self, addon: AddOn) -> str:
        """The id of its one container. One that has stopped is made anew: all that it keeps is in its volume."""
        current: ContainerListed | None = None
        for container in await self._containers.of(addon.addon_id):
            if container.running and current is None:
                current = container
            else:
                await self._containers.retire(container.container_id)
        if current is not None:
            return current.container_id
        await self._is_down(addon)
        image_id = await self._image(addon)
        credentials = open_credentials(
            self._cipher, addon.addon_id, await self._store.credentials(addon.addon_id)
        )
        container_id = await self._containers.create(addon, image_id, credentials)
        await self._engine.start(container_id)
        return container_id

    async def _image(self, addon: AddOn) -> str:
        """What was pinned at the first start, as long as it is on this node: a database is not upgraded by a restart."""
        if addon.image_id is not None and await self._engine.image(addon.image_id) is not None:
            return addon.image_id
        await self._store.unpin(addon.addon_id)
        pinned = await self._pins.pin(addon.definition.image, addon.addon_id)
        await self._store.pin(addon.addon_id, pinned.image_id)
        return pinned.image_id

    async def _until_healthy(self, addon: AddOn, container_id: str) -> None:
        deadline = self._clock.monotonic() + HEALTHY_WITHIN_S
        while not _is_healthy(await self._engine.inspect(container_id)):
            await self._is_down(addon)
            if self._clock.monotonic() >= deadline:
                raise AddOnUnhealthy(f"not healthy within {HEALTHY_WITHIN_S:.0f} s")
            await asyncio.sleep(LOOK_EVERY_S)

    async def _is_down(self, addon: AddOn) -> None:
        if await self._state(addon) is State.RUNNING:
            await self._store.see(addon.addon_id, State.STARTING)

    async def _state(self, addon: AddOn) -> State:
        return (await self._store.get(addon.addon_id)).state

    async def _fail(self, addon: AddOn, error: Exception) -> None:
        self._backoff.failed(addon.addon_id, self._clock.monotonic())
        lines = [str(error)]
        for container in await self._containers.of(addon.addon_id):
            lines += await self._engine.log_tail(container.container_id, LOG_LINES)
        reason = await self._redacted(addon, "\n".join(lines))
        await self._store.see(addon.addon_id, State.FAILED, reason)
        log.warning("addon_failed", addon=addon.addon_id, service=addon.definition.service, reason=str(error))

    async def _redacted(self, addon: AddOn, text: str) -> str:
        sealed = await self._store.credentials(addon.addon_id)
        try:
            return without_secrets(text, open_credentials(self._cipher, addon.addon_id, sealed))
        except EnvironmentUnreadable:
            # Then no container was ever given them, and there is nothing to take out.
            return text


def _is_healthy(container: ContainerSeen | None) -> bool:
    """Raises AddOnUnhealthy when waiting on is pointless, ContainerGone when somebody else has removed it."""
    if container is None:
        raise ContainerGone("the container was removed by somebody else")
    if container.oom_killed and not container.running:
        raise AddOnUnhealthy("the container ran out of memory and was killed")
    if container.status in {"exited", "dead"}:
        raise AddOnUnhealthy(f"the container ended with exit code {container.exit_code}")
    if container.running and container.health == "unhealthy":
        raise AddOnUnhealthy("its health check fails")
    return container.running and container.health == "healthy"
