"""Brings what runs back to what is recorded: after a crash, a restart, a stop, a start, and every thirty seconds.

Rules:
- Only the recorded release runs; every other container of the project is removed.
- A container is published only after a fresh look at its address and a fresh probe.
"""

from collections.abc import Sequence

import structlog

from shared.clock import Clock
from worker.deploys.crashes import CRASHED_AFTER, WINDOW_S, RestartWindow
from worker.deploys.generation import Generations
from worker.deploys.health import Gate, Probes, Unhealthy
from worker.deploys.interruptions import Interrupted, Interruptions
from worker.deploys.model import WEB, HealthCheck, Release, ReleaseMissing
from worker.deploys.publication import Publication
from worker.deploys.records import Records
from worker.deploys.rollout import drain
from worker.mesh.table import Backend
from worker.projects.environment import EnvironmentUnreadable
from worker.projects.model import Project, State, Wanted
from worker.runtime import labels
from worker.runtime.engine import ContainerListed, ContainerSeen, Engine, EngineRefused
from worker.runtime.networks import NetworkPoolExhausted
from worker.runtime.profile import STOP_GRACE_S

LOG_LINES = 20
RETRY_DEADLINE_S = 2.0
"""How long a look at a project that has failed may hold its lane."""

log = structlog.get_logger("upkeep")


class _Crashed(Exception):
    """Five restarts in five minutes."""


class Upkeep:
    def __init__(
        self,
        *,
        engine: Engine,
        generations: Generations,
        publication: Publication,
        records: Records,
        probes: Probes,
        interruptions: Interruptions,
        clock: Clock,
    ) -> None:
        self._engine = engine
        self._generations = generations
        self._publication = publication
        self._projects = records.projects
        self._releases = records.releases
        self._events = records.events
        self._probes = probes
        self._interruptions = interruptions
        self._clock = clock
        self._restarts = RestartWindow()

    async def settle(self, project: Project) -> None:
        """One pass; nothing of a deploy may be in progress."""
        current = await self._sweep(project)
        if project.release_id is None:
            return
        if project.wanted is Wanted.STOPPED:
            await self._stop(project, current)
        elif project.state is not State.CRASHED:
            await self.bring_up(project, current)

    async def bring_up(self, project: Project, current: ContainerListed | None) -> None:
        """Failure policy: a release that cannot be brought up leaves the project `failed` with the reason, and is tried again later."""
        try:
            release = await self._releases.get(project.release_id or "")
            if project.restart_wanted:
                current = await self._stop_for_restart(project, current)
            container_id = await self._running(project, release, current)
            await self._publish(project, release, container_id)
        except Interrupted:
            log.info("start_interrupted", project=project.project_id)
        except _Crashed:
            await self._give_up(project)
        except (
            Unhealthy,
            ReleaseMissing,
            EngineRefused,
            NetworkPoolExhausted,
            EnvironmentUnreadable,
        ) as error:
            if project.state is not State.FAILED:
                await self._events.record(project.project_id, "start_failed", WEB, str(error))
            await self._projects.see(project.project_id, State.FAILED, str(error))

    def current_of(self, project: Project, containers: Sequence[ContainerListed]) -> ContainerListed | None:
        """The container of the recorded release; the running one should there be two."""
        own = [c for c in containers if c.labels.get(labels.RELEASE) == project.release_id]
        return max(own, key=lambda container: container.running, default=None)

    async def find_current(self, project: Project) -> ContainerListed | None:
        return self.current_of(project, await self._generations.of_project(project.project_id))

    async def _sweep(self, project: Project) -> ContainerListed | None:
        containers = await self._generations.of_project(project.project_id)
        current = self.current_of(project, containers)
        for container in containers:
            if container is not current:
                self._publication.withdraw(project.project_id, container.container_id)
                await self._generations.retire(container.container_id)
        return current

    async def _stop(self, project: Project, current: ContainerListed | None) -> None:
        await drain(self._publication.withdraw(project.project_id))
        if current is not None and current.running:
            await self._engine.stop(current.container_id, STOP_GRACE_S)
        if project.state is not State.STOPPED:
            await self._projects.see(project.project_id, State.STOPPED)

    async def _stop_for_restart(
        self, project: Project, current: ContainerListed | None
    ) -> ContainerListed | None:
        await drain(self._publication.withdraw(project.project_id))
        if current is not None:
            await self._engine.stop(current.container_id, STOP_GRACE_S)
        await self._projects.restarted(project.project_id)
        return await self.find_current(project)

    async def _running(self, project: Project, release: Release, current: ContainerListed | None) -> str:
        if current is not None and current.running:
            return current.container_id
        self._publication.withdraw(project.project_id)
        await self._see(project, State.STARTING)
        if current is None:
            container_id = (await self._generations.create(project, release)).container_id
        else:
            container_id = current.container_id
        await self._engine.keep_running(container_id, on=True)
        await self._engine.start(container_id)
        self._restarts.began(container_id)
        return container_id

    async def _publish(self, project: Project, release: Release, container_id: str) -> None:
        container = await self._engine.inspect(container_id)
        network = self._generations.network_of(project)
        if container is not None and container.running:
            self._watch(container)
            address = container.addresses.get(network, "")
            if address and self._publication.is_current(project.project_id, container, address):
                await self._look_again(project, release, address, network)
                await self._see(project, State.RUNNING)
                return
        self._publication.withdraw(project.project_id)
        await self._see(project, State.STARTING)
        retrying = project.state is State.FAILED
        gate = self._gate(project, release, network, retrying=retrying)
        async with self._interruptions.allowed(project.project_id):
            healthy = await self._probes.until_healthy(container_id, gate)
        backend = Backend(WEB, healthy.address, release.request.port, release.release_id)
        fresh = await self._projects.find(project.project_id) or project
        self._publication.publish(fresh, healthy.container, backend)
        await self._projects.see(project.project_id, State.RUNNING)

    async def _look_again(self, project: Project, release: Release, address: str, network: str) -> None:
        """A running app that stops answering is shown as unhealthy and still routed to: there is nothing better to route to."""
        healthy, outcome = await self._probes.once(
            address, self._gate(project, release, network, retrying=False)
        )
        if self._publication.see_health(project.project_id, healthy=healthy):
            word = "healthy" if healthy else "unhealthy"
            await self._events.record(project.project_id, "health_changed", WEB, f"{word}: {outcome}")

    def _gate(self, project: Project, release: Release, network: str, *, retrying: bool) -> Gate:
        check = release.request.healthcheck
        if retrying:
            check = HealthCheck(
                path=check.path,
                interval_s=check.interval_s,
                timeout_s=min(check.timeout_s, RETRY_DEADLINE_S),
                deadline_s=RETRY_DEADLINE_S,
            )
        return Gate(
            network=network,
            port=release.request.port,
            host=self._publication.hosts_of(project)[0],
            check=check,
            least_uptime_s=0.0,
            watch=self._watch,
        )

    def _watch(self, container: ContainerSeen) -> None:
        if self._restarts.is_crashing(container.container_id, container.restarts, self._clock.monotonic()):
            raise _Crashed

    async def _give_up(self, project: Project) -> None:
        reason = f"restarted {CRASHED_AFTER} times within {WINDOW_S / 60:.0f} minutes"
        self._publication.withdraw(project.project_id)
        await self._projects.see(project.project_id, State.CRASHED, reason)
        current = await self.find_current(project)
        last_words = ""
        if current is not None:
            await self._engine.keep_running(current.container_id, on=False)
            await self._engine.stop(current.container_id, STOP_GRACE_S)
            last_words = "\n".join(await self._engine.log_tail(current.container_id, LOG_LINES))
            self._restarts.forget(current.container_id)
        await self._events.record(project.project_id, "crashed", WEB, f"{reason}\n{last_words}".rstrip())
        log.warning("project_crashed", project=project.project_id, reason=reason)

    async def _see(self, project: Project, state: State) -> None:
        # A failed project stays shown as failed until it is healthy again.
        if project.state is not state and not (project.state is State.FAILED and state is State.STARTING):
            await self._projects.see(project.project_id, state)
