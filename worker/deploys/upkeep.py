"""Brings what runs back to what is recorded: after a crash, a restart, a stop, a start, and every thirty seconds.

Rules:
- Only the recorded release runs; every other container of the project is removed.
- A container is published only after a fresh look at its address and a fresh probe.
"""

from collections.abc import Iterable, Mapping, Sequence

import structlog

from shared.clock import Clock
from worker.deploys.crashes import CRASHED_AFTER, WINDOW_S, RestartWindow
from worker.deploys.draining import drain
from worker.deploys.generation import Generations
from worker.deploys.health import Probes, Removed, Unhealthy
from worker.deploys.interruptions import Interrupted, Interruptions
from worker.deploys.model import Release, ReleaseMissing
from worker.deploys.publication import Publication, Published
from worker.deploys.records import Records
from worker.deploys.request import Service
from worker.deploys.rollout import entries_of
from worker.deploys.startup import Startup, Wait, is_done
from worker.projects.environment import EnvironmentUnreadable
from worker.projects.model import Project, State, Wanted
from worker.runtime import labels
from worker.runtime.engine import ContainerListed, ContainerSeen, Engine, EngineRefused
from worker.runtime.networks import NetworkPoolExhausted

LOG_LINES = 20
RETRY_DEADLINE_S = 2.0
"""How long a look at a project that has failed may hold its lane."""

log = structlog.get_logger("upkeep")


class _Crashed(Exception):
    """Five restarts in five minutes."""


Containers = Mapping[str, ContainerListed]
"""Those of the recorded release, by service."""


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
        self._startup = Startup(engine, probes)
        self._interruptions = interruptions
        self._clock = clock
        self._restarts = RestartWindow()

    async def settle(self, project: Project) -> None:
        """One pass; nothing of a deploy may be in progress."""
        current = await self._sweep(project)
        if project.release_id is None:
            self._publication.end_hold(project.project_id)
        elif project.wanted is Wanted.STOPPED:
            await self._stop(project, current)
        elif project.state is State.CRASHED:
            await self._end(c for c in current.values() if c.running)
        else:
            await self.bring_up(project, current)

    async def bring_up(self, project: Project, current: Containers) -> None:
        """Failure policy: a release that cannot be brought up leaves the project `failed` with the reason, and is tried again later."""
        try:
            release = await self._releases.get(project.release_id or "")
            if project.restart_wanted:
                await self._stop_for_restart(project, current)
                current = await self.find_current(project)
            await self._serve(project, release, current)
        except Interrupted:
            log.info("start_interrupted", project=project.project_id)
        except Removed:
            # Once it has gone, which is an event, it is made again.
            log.info("removed_while_started", project=project.project_id)
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
                await self._events.record(project.project_id, "start_failed", "", str(error))
            await self._projects.see(project.project_id, State.FAILED, str(error))
        finally:
            # Published or not: there is nothing more to wait for.
            self._publication.end_hold(project.project_id)

    def current_of(self, project: Project, containers: Sequence[ContainerListed]) -> Containers:
        """The containers of the recorded release; for each service the running one should there be two. None that is going."""
        own = [c for c in containers if c.labels.get(labels.RELEASE) == project.release_id and not c.going]
        return {c.labels.get(labels.SERVICE, ""): c for c in sorted(own, key=lambda c: c.running)}

    async def find_current(self, project: Project) -> Containers:
        return self.current_of(project, await self._generations.of_project(project.project_id))

    async def _sweep(self, project: Project) -> Containers:
        containers = await self._generations.of_project(project.project_id)
        current = self.current_of(project, containers)
        kept = {container.container_id for container in current.values()}
        others = [c for c in containers if c.container_id not in kept]
        for container in others:
            self._publication.withdraw(project.project_id, container.container_id)
        try:
            await self._generations.retire(others)
            if others:
                await self._generations.retire_others(project.project_id, project.release_id)
        except EngineRefused as refusal:
            # What runs need not suffer from what will not go.
            log.warning("container_stays", project=project.project_id, reason=str(refusal))
        return current

    async def _stop(self, project: Project, current: Containers) -> None:
        self._publication.end_hold(project.project_id)
        await drain(self._publication.withdraw(project.project_id))
        await self._generations.stop(c for c in current.values() if c.running)
        if project.state is not State.STOPPED:
            await self._projects.see(project.project_id, State.STOPPED)

    async def _stop_for_restart(self, project: Project, current: Containers) -> None:
        await drain(self._publication.withdraw(project.project_id))
        await self._generations.stop(current.values())
        await self._projects.restarted(project.project_id)

    async def _serve(self, project: Project, release: Release, current: Containers) -> None:
        containers = {name: container.container_id for name, container in current.items()}
        seen = await self._look_at(containers)
        fine = {service.name for service in release.request.services if _is_up(service, seen)}
        if len(fine) < len(release.request.services):
            await self._see(project, State.STARTING)
            await self._start(project, release, containers)
            seen = await self._look_at(containers)
        kept = self._still_published(project, release, seen)
        reachable = {s.name for s in release.request.services if s.port is not None and not s.may_end}
        if reachable <= kept.keys():
            await self._look_again(project, release, seen)
            await self._see(project, State.RUNNING)
        else:
            await self._publish(project, release, containers, kept)

    async def _look_at(self, containers: Mapping[str, str]) -> dict[str, ContainerSeen]:
        found = {name: await self._engine.inspect(container_id) for name, container_id in containers.items()}
        seen = {name: container for name, container in found.items() if container is not None}
        for container in seen.values():
            self._watch(container)
        return seen

    async def _start(self, project: Project, release: Release, containers: dict[str, str]) -> None:
        """What is missing is made again; `containers` gets it."""
        for service in release.request.services:
            if service.name not in containers:
                containers[service.name] = await self._generations.create_service(project, release, service)

        async def before_start(service: Service, container_id: str) -> None:
            self._publication.withdraw(project.project_id, container_id)
            await self._generations.keep_service_running(container_id, service)
            self._restarts.began(container_id)

        async with self._interruptions.allowed(project.project_id):
            await self._startup.start(release.request, containers, self._wait(project), before_start)

    def _still_published(
        self, project: Project, release: Release, seen: Mapping[str, ContainerSeen]
    ) -> dict[str, Published]:
        network = self._generations.network_of(project)
        return {
            name: entry
            for name, entry in self._publication.of(project.project_id).items()
            if name in seen
            and seen[name].running
            and entry.backend.release == release.release_id
            and self._publication.is_current(
                project.project_id, name, seen[name], seen[name].addresses.get(network, "")
            )
        }

    async def _publish(
        self,
        project: Project,
        release: Release,
        containers: Mapping[str, str],
        kept: Mapping[str, Published],
    ) -> None:
        await self._see(project, State.STARTING)
        async with self._interruptions.allowed(project.project_id):
            healthy = await self._startup.until_healthy(release.request, containers, self._wait(project))
        fresh = await self._projects.find(project.project_id) or project
        self._publication.publish(fresh, release.request.web, {**entries_of(release, healthy), **kept})
        await self._projects.see(project.project_id, State.RUNNING)

    async def _look_again(
        self, project: Project, release: Release, seen: Mapping[str, ContainerSeen]
    ) -> None:
        """A running app that stops answering is shown as unhealthy and still routed to: there is nothing better to route to."""
        web = release.request.web_service
        gate = self._wait(project).gate(release.request, web)
        healthy, outcome = await self._probes.once(seen[web.name], gate)
        if self._publication.see_health(project.project_id, web.name, healthy=healthy):
            word = "healthy" if healthy else "unhealthy"
            await self._events.record(project.project_id, "health_changed", web.name, f"{word}: {outcome}")

    def _wait(self, project: Project) -> Wait:
        return Wait(
            network=self._generations.network_of(project),
            host=self._publication.hosts_of(project)[0],
            watch=self._watch,
            fresh=False,
            most_s=RETRY_DEADLINE_S if project.state is State.FAILED else None,
        )

    def _watch(self, container: ContainerSeen) -> None:
        if self._restarts.is_crashing(container.container_id, container.restarts, self._clock.monotonic()):
            raise _Crashed

    async def _give_up(self, project: Project) -> None:
        reason = f"restarted {CRASHED_AFTER} times within {WINDOW_S / 60:.0f} minutes"
        self._publication.withdraw(project.project_id)
        await self._projects.see(project.project_id, State.CRASHED, reason)
        current = await self.find_current(project)
        await self._end(current.values())
        for service, container in current.items():
            last_words = "\n".join(await self._engine.log_tail(container.container_id, LOG_LINES))
            self._restarts.forget(container.container_id)
            await self._events.record(
                project.project_id, "crashed", service, f"{reason}\n{last_words}".rstrip()
            )
        log.warning("project_crashed", project=project.project_id, reason=reason)

    async def _end(self, containers: Iterable[ContainerListed]) -> None:
        """None of them is started again by the engine."""
        ending = list(containers)
        for container in ending:
            await self._engine.keep_running(container.container_id, on=False)
        await self._generations.stop(ending)

    async def _see(self, project: Project, state: State) -> None:
        # A failed project stays shown as failed until it is healthy again.
        if project.state is not state and not (project.state is State.FAILED and state is State.STARTING):
            await self._projects.see(project.project_id, state)


def _is_up(service: Service, seen: Mapping[str, ContainerSeen]) -> bool:
    container = seen.get(service.name)
    return container is not None and (container.running or is_done(service, container))
