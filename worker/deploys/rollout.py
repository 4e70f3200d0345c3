"""Runs one deploy: the candidate up to its health, then the switch, then the drain of what it replaces."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from worker.deploys.candidate import UNDEPLOYABLE, Candidates
from worker.deploys.generation import Generations
from worker.deploys.health import Healthy
from worker.deploys.interruptions import Interrupted, Interruptions
from worker.deploys.model import WEB, Deploy, Ending, Release
from worker.deploys.publication import Publication
from worker.deploys.records import Records
from worker.deploys.transitions import CANDIDATE, DEADLINES_S, DRAIN_S, ENDED, Status, TransitionRefused
from worker.errors import EngineUnavailable
from worker.mesh.table import Backend
from worker.projects.model import Project, State
from worker.runtime import labels

MOST_ATTEMPTS = 3
CHECK_SLACK_S = 30.0


class _StepTimedOut(Exception):
    """A step took longer than its deadline."""


class Rollout:
    def __init__(
        self,
        candidates: Candidates,
        generations: Generations,
        publication: Publication,
        records: Records,
        interruptions: Interruptions,
    ) -> None:
        self._candidates = candidates
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
        await self._candidates.check_engine()
        walk = _Walk(self._records, deploy)
        try:
            async with self._interruptions.allowed(project.project_id):
                release, healthy = await self._candidate(project, walk)
            await walk.choose(release, healthy)
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

    async def finish(self, deploy: Deploy, replaced: Backend | None = None) -> None:
        """From the checkpoint on: the old release gets its time, then goes. Also after a crash, when nobody is left to wait for."""
        walk = _Walk(self._records, deploy)
        if deploy.status is Status.SWITCHING:
            await self._generations.keep_running(deploy.project_id, deploy.deploy_id)
            await walk.begin(Status.DRAINING, DEADLINES_S[Status.DRAINING], "switched")
        detail = await drain(replaced)
        for container in await self._generations.of_project(deploy.project_id):
            if container.labels.get(labels.RELEASE) != deploy.deploy_id:
                await self._generations.retire(container.container_id)
        await self._records.deploys.activate(walk.deploy, detail)
        await self._records.events.record(
            deploy.project_id, "deploy_active", WEB, f"{deploy.deploy_id} is active"
        )

    async def _candidate(self, project: Project, walk: "_Walk") -> tuple[Release, Healthy]:
        async with _step(Status.PREPARING, DEADLINES_S[Status.PREPARING]):
            await walk.begin(Status.PREPARING, DEADLINES_S[Status.PREPARING])
            prepared = await self._candidates.prepare(project, walk.deploy)
        async with _step(Status.CREATING, DEADLINES_S[Status.CREATING]):
            await walk.begin(Status.CREATING, DEADLINES_S[Status.CREATING], prepared.detail)
            created = await self._candidates.create(project, prepared)
        async with _step(Status.STARTING, DEADLINES_S[Status.STARTING]):
            await walk.begin(Status.STARTING, DEADLINES_S[Status.STARTING], created.container_id[:12])
            started = await self._candidates.start(created, prepared)
        deadline_s = walk.deploy.request.healthcheck.deadline_s + CHECK_SLACK_S
        async with _step(Status.CHECKING, deadline_s):
            await walk.begin(Status.CHECKING, deadline_s)
            host = self._publication.hosts_of(project)[0]
            return prepared.release, await self._candidates.check(started, host)

    async def _switch(self, project: Project, deploy: Deploy, release: Release, healthy: Healthy) -> None:
        # Names and visibility may have changed while the candidate came up.
        fresh = await self._records.projects.find(project.project_id) or project
        backend = Backend(WEB, healthy.address, release.request.port, release.release_id)
        replaced = self._publication.publish(fresh, healthy.container, backend)
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
        await self._records.events.record(project.project_id, f"deploy_{ending.status}", WEB, message)


class _Walk:
    """The deploy as it moves through its steps, each recorded before it is done."""

    def __init__(self, records: Records, deploy: Deploy) -> None:
        self._deploys = records.deploys
        self._events = records.events
        self.deploy = deploy

    async def begin(self, status: Status, deadline_s: float, detail_of_last: str = "") -> None:
        self.deploy = await self._deploys.begin_step(self.deploy, status, deadline_s, detail_of_last)
        await self._tell(status)

    async def choose(self, release: Release, healthy: Healthy) -> None:
        self.deploy = await self._deploys.choose(self.deploy, release, healthy.attempts)
        await self._tell(Status.SWITCHING)

    async def _tell(self, status: Status) -> None:
        await self._events.record(
            self.deploy.project_id, "deploy_step", WEB, f"{self.deploy.deploy_id} {status}"
        )


async def drain(backend: Backend | None) -> str:
    """Waits until the requests to a backend that gets no new ones have finished; what came of it, in words."""
    if backend is None:
        return "nothing to drain"
    waiting = backend.in_flight
    try:
        async with asyncio.timeout(DRAIN_S):
            await backend.idle.wait()
    except TimeoutError:
        return f"{backend.in_flight} requests were cut off after {DRAIN_S:.0f} s"
    return f"{waiting} requests finished"


@asynccontextmanager
async def _step(status: Status, deadline_s: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(deadline_s):
            yield
    except TimeoutError:
        raise _StepTimedOut(f"{status} took longer than {deadline_s:.0f} s") from None
