"""Runs one deploy: the candidate up to its health, then the switch, then the drain of what it replaces."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from worker.deploys.candidate import UNDEPLOYABLE, Candidates
from worker.deploys.draining import drain
from worker.deploys.generation import Generations
from worker.deploys.handover import Handover
from worker.deploys.health import Healthy
from worker.deploys.interruptions import Interrupted, Interruptions
from worker.deploys.model import Deploy, Ending, HealthAttempt, Release
from worker.deploys.publication import Publication, Published
from worker.deploys.records import Records
from worker.deploys.startup import check_deadline_s, start_deadline_s
from worker.deploys.transitions import CANDIDATE, DEADLINES_S, ENDED, Status, TransitionRefused
from worker.errors import EngineUnavailable
from worker.mesh.table import Backend
from worker.projects.model import Project, State
from worker.sources.build import SOURCE_DEADLINE_S

MOST_ATTEMPTS = 3


class _StepTimedOut(Exception):
    """A step took longer than its deadline."""


class Rollout:
    def __init__(
        self,
        candidates: Candidates,
        generations: Generations,
        handover: Handover,
        publication: Publication,
        records: Records,
        interruptions: Interruptions,
    ) -> None:
        self._candidates = candidates
        self._handover = handover
        self._generations = generations
        self._publication = publication
        self._records = records
        self._interruptions = interruptions

    async def run(self, project: Project, deploy: Deploy) -> None:
        """From queued to an end. EngineUnavailable puts the deploy back into the queue, and is raised again."""
        if deploy.attempts >= MOST_ATTEMPTS:
            reason = f"given up after {deploy.attempts} interrupted attempts"
            await self._end(project, deploy, Ending(status=Status.FAILED, reason=reason))
            return
        # An engine that is away does not use up attempts.
        await self._generations.check_engine()
        walk = _Walk(self._records, deploy)
        try:
            async with self._interruptions.allowed(project.project_id):
                release, healthy = await self._candidate(project, walk)
            await walk.choose(release, healthy[release.request.web].attempts)
        except EngineUnavailable as error:
            await self._requeue(deploy, f"the container engine went away: {error}")
            raise
        except (Interrupted, TransitionRefused):
            await self._undo(project, deploy, Status.CANCELLED, Interrupted("cancelled"))
        except (*UNDEPLOYABLE, _StepTimedOut) as error:
            await self._undo(project, deploy, Status.FAILED, error)
        else:
            await self._switch(project, walk.deploy, release, healthy)

    async def begin_again(self, deploy: Deploy) -> None:
        """A candidate that was interrupted by a crash of the worker goes, and its deploy back into the queue."""
        await self._candidates.undo(deploy, None)
        if deploy.cancel_wanted:
            await self._records.deploys.end(deploy, Ending(status=Status.CANCELLED, reason="cancelled"))
            return
        await self._records.deploys.requeue(deploy, "interrupted: the worker was restarted")

    async def finish(self, deploy: Deploy, replaced: Sequence[Backend] = ()) -> None:
        """From the checkpoint on: the old release gets its time, then goes. Also after a crash, when nobody is left to wait for."""
        walk = _Walk(self._records, deploy)
        if deploy.status is Status.SWITCHING:
            await self._generations.keep_running(deploy.project_id, deploy.deploy_id, deploy.request)
            await walk.begin(Status.DRAINING, DEADLINES_S[Status.DRAINING], "switched")
        detail = await drain(replaced)
        await self._generations.retire_others(deploy.project_id, deploy.deploy_id)
        await self._records.deploys.activate(walk.deploy, detail)
        await self._records.events.record(
            deploy.project_id, "deploy_active", deploy.request.web, f"{deploy.deploy_id} is active"
        )

    async def _candidate(self, project: Project, walk: "_Walk") -> tuple[Release, Mapping[str, Healthy]]:
        request = walk.deploy.request
        deadline_s = DEADLINES_S[Status.PREPARING] if request.source is None else SOURCE_DEADLINE_S
        async with _step(Status.PREPARING, deadline_s):
            await walk.begin(Status.PREPARING, deadline_s)
            prepared = await self._candidates.prepare(project, walk.deploy)
        async with _step(Status.CREATING, DEADLINES_S[Status.CREATING]):
            await walk.begin(Status.CREATING, DEADLINES_S[Status.CREATING], prepared.detail)
            created = await self._candidates.create(project, prepared)
        host = self._publication.hosts_of(project)[0]
        way = await self._handover.plan(project, request)
        deadline_s = start_deadline_s(request) + way.deadline_s
        async with _step(Status.STARTING, deadline_s):
            names = ", ".join(f"{name} {id_[:12]}" for name, id_ in created.containers.items())
            await walk.begin(Status.STARTING, deadline_s, names)
            await self._handover.make_way(project, way)
            started = await self._candidates.start(created, prepared, host)
        deadline_s = check_deadline_s(request)
        async with _step(Status.CHECKING, deadline_s):
            await walk.begin(Status.CHECKING, deadline_s, way.detail)
            return prepared.release, await self._candidates.check(started)

    async def _switch(
        self, project: Project, deploy: Deploy, release: Release, healthy: Mapping[str, Healthy]
    ) -> None:
        # Names and visibility may have changed while the candidate came up.
        fresh = await self._records.projects.find(project.project_id) or project
        replaced = self._publication.publish(fresh, release.request.web, entries_of(release, healthy))
        await self.finish(deploy, replaced)

    async def _undo(self, project: Project, deploy: Deploy, status: Status, error: Exception) -> None:
        trace = await self._candidates.undo(deploy, error)
        # Read again: an interruption may have come just after a step was recorded, or after the deploy was ended from outside.
        deploy = await self._records.deploys.get(deploy.project_id, deploy.deploy_id)
        if deploy.status not in ENDED:
            ending = Ending(
                status=status, reason=str(error), log_tail=trace.log_tail, health_attempts=trace.attempts
            )
            await self._end(project, deploy, ending)

    async def _requeue(self, deploy: Deploy, detail: str) -> None:
        deploy = await self._records.deploys.get(deploy.project_id, deploy.deploy_id)
        if deploy.status in CANDIDATE:
            await self._records.deploys.requeue(deploy, detail)

    async def _end(self, project: Project, deploy: Deploy, ending: Ending) -> None:
        await self._records.deploys.end(deploy, ending)
        if project.release_id is None and ending.status is Status.FAILED:
            await self._records.projects.see(project.project_id, State.FAILED, ending.reason)
        message = f"{deploy.deploy_id} {ending.status}: {ending.reason}"
        await self._records.events.record(
            project.project_id, f"deploy_{ending.status}", deploy.request.web, message
        )


class _Walk:
    """The deploy as it moves through its steps, each recorded before it is done."""

    def __init__(self, records: Records, deploy: Deploy) -> None:
        self._deploys = records.deploys
        self._events = records.events
        self.deploy = deploy

    async def begin(self, status: Status, deadline_s: float, detail_of_last: str = "") -> None:
        self.deploy = await self._deploys.begin_step(self.deploy, status, deadline_s, detail_of_last)
        await self._tell(status)

    async def choose(self, release: Release, attempts: tuple[HealthAttempt, ...]) -> None:
        self.deploy = await self._deploys.choose(self.deploy, release, attempts)
        await self._tell(Status.SWITCHING)

    async def _tell(self, status: Status) -> None:
        await self._events.record(
            self.deploy.project_id,
            "deploy_step",
            self.deploy.request.web,
            f"{self.deploy.deploy_id} {status}",
        )


def entries_of(release: Release, healthy: Mapping[str, Healthy]) -> dict[str, Published]:
    """What the mesh can reach of these: services with a port that run."""
    entries = {}
    for name, seen in healthy.items():
        port = release.request.service(name).port
        if port is not None and seen.address:
            container_id, started_at = seen.container.container_id, seen.container.started_at
            backend = Backend(name, seen.address, port, release.release_id, container_id, started_at)
            entries[name] = Published(container_id, started_at, backend)
    return entries


@asynccontextmanager
async def _step(status: Status, deadline_s: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(deadline_s):
            yield
    except TimeoutError:
        raise _StepTimedOut(f"{status} took longer than {deadline_s:.0f} s") from None
