"""Listens to the engine, so that what died is unreachable at once and what is back is looked at at once."""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing

import structlog

from worker.deploys.lanes import Lanes
from worker.deploys.orphans import Orphans
from worker.deploys.publication import Publication
from worker.deploys.records import Records
from worker.errors import EngineUnavailable
from worker.runtime import labels
from worker.runtime.engine import Engine, EngineEvent
from worker.runtime.engine_state import EngineState

RECONNECT_S = 0.5
RECONCILE_S = 30.0

_KINDS: Mapping[str, str] = {
    "create": "container_created",
    "start": "container_started",
    "stop": "container_stopped",
    "restart": "container_restarted",
    "die": "container_died",
    "oom": "container_oom",
    "destroy": "container_removed",
}
_HEALTH_CHANGED = "health_status:"

log = structlog.get_logger("watch")


class Watch:
    """Failure policy: while the engine is away, what is published stays; when it is back, every project is looked at afresh."""

    def __init__(
        self,
        engine: Engine,
        instance: str,
        records: Records,
        publication: Publication,
        lanes: Lanes,
        orphans: Orphans,
        state: EngineState,
    ) -> None:
        self._engine = engine
        self._instance = instance
        self._records = records
        self._publication = publication
        self._lanes = lanes
        self._orphans = orphans
        self._state = state

    async def follow(self) -> None:
        """Until cancelled."""
        while True:
            try:
                async with aclosing(self._engine.events({labels.INSTANCE: self._instance})) as events:
                    async for event in events:
                        await (self._is_back() if event is None else self._happened(event))
                self._is_away("the event stream ended")
            except EngineUnavailable as error:
                self._is_away(str(error))
            except Exception:
                # A full disk, say. The next connection looks at everything afresh, so nothing is lost with the event.
                log.exception("event_failed")
            await asyncio.sleep(RECONNECT_S)

    async def reconcile(self) -> int:
        """Nudges every project and add-on and removes orphans; how many orphans there were. Raises EngineUnavailable."""
        await self._orphans.join_networks()
        for project in await self._records.projects.all():
            self._lanes.nudge(project.project_id)
        for addon in await self._records.addons.all():
            self._lanes.nudge(addon.addon_id)
        return await self._orphans.remove()

    async def reconcile_forever(self) -> None:
        while True:
            await asyncio.sleep(RECONCILE_S)
            await self._reconcile_calmly()

    async def _is_back(self) -> None:
        self._answers()
        await self._reconcile_calmly()

    def _answers(self) -> None:
        if self._state.see(up=True):
            log.info("engine_connected")

    def _is_away(self, reason: str) -> None:
        if self._state.see(up=False):
            log.warning("engine_unavailable", reason=reason)

    async def _reconcile_calmly(self) -> None:
        try:
            removed = await self.reconcile()
        except EngineUnavailable as error:
            self._is_away(str(error))
        except Exception:
            log.exception("reconcile_failed")
        else:
            self._answers()
            if removed:
                log.warning("orphans_removed", count=removed)

    async def _happened(self, event: EngineEvent) -> None:
        addon_id = event.labels.get(labels.ADDON)
        if addon_id is not None:
            # Not for the start of each health check, which is an event too.
            if event.action in _KINDS or event.action.startswith(_HEALTH_CHANGED):
                self._lanes.nudge(addon_id)
            return
        project_id = event.labels.get(labels.PROJECT, "")
        if event.action == "die":
            self._publication.see_death(project_id, event.container_id, event.time_ns / 1e9)
        kind = _KINDS.get(event.action)
        if kind is None:
            return
        service = event.labels.get(labels.SERVICE, "")
        await self._records.events.record(project_id, kind, service, _message(event))
        self._lanes.nudge(project_id)


def _message(event: EngineEvent) -> str:
    image = event.labels.get("image", "")
    if event.action == "die":
        return f"exit code {event.labels.get('exitCode', '?')}"
    return f"{event.container_id[:12]} from {image}" if event.action == "create" else event.container_id[:12]
