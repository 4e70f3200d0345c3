"""Runs the recorded jobs: a bounded number at once, one at a time for each deployment, resumed after a crash."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import structlog

from hoster.deployments.store import DeploymentStore
from hoster.deployments.transitions import State, Trigger
from hoster.jobs.model import (
    Again,
    Heard,
    Job,
    Kind,
    Outcome,
    Patience,
    Postponed,
    Settled,
    Superseded,
    deadline_after,
    gives_up,
    retry_in,
)  # fmt: skip
from hoster.jobs.store import LEASE_S, JobStore
from shared.clock import Clock
from shared.database import PASSING, once_possible

AT_ONCE = 16
LOOK_EVERY_S = 1.0

_GIVEN_UP = "It is tried again when the node answers."

Work = Callable[[Job], Awaitable[Outcome]]

_WAITING_IN = {
    Kind.START: State.STARTING,
    Kind.STOP: State.STOPPING,
    Kind.RESTART: State.STARTING,
    Kind.REDEPLOY: State.STARTING,
    Kind.DELETE: State.DELETING,
}


class Bell:
    """Rung when a job was recorded, so that it is not only found by looking."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        self._event.set()

    async def heard(self, at_most_s: float) -> None:
        """Returns at the ring, or after `at_most_s`."""
        try:
            async with asyncio.timeout(at_most_s):
                await self._event.wait()
        except TimeoutError:
            return
        self._event.clear()


class JobRunner:
    """Failure policy: what a job's work raises is logged and the job is tried again. A database that is full or busy is waited for, with
    what was found out; what else it raises ends `run`, and with it the service, because nothing could be recorded any more.
    """

    def __init__(
        self,
        jobs: JobStore,
        deployments: DeploymentStore,
        work: Work,
        clock: Clock,
        bell: Bell,
        patience: Patience,
    ) -> None:
        self._jobs = jobs
        self._deployments = deployments
        self._work = work
        self._clock = clock
        self._bell = bell
        self._patience = patience
        self._running: set[str] = set()
        self._log = structlog.get_logger("jobs")

    async def run(self) -> None:
        await once_possible(partial(self._jobs.resume, self._patience))
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep_leases(), name="job leases")
                while True:
                    await self._begin_what_is_due(group)
                    await self._bell.heard(LOOK_EVERY_S)
        finally:
            await asyncio.shield(self._let_go())

    async def _let_go(self) -> None:
        try:
            await self._jobs.let_go()
        except PASSING as passing:  # then the leases run out
            self._log.warning("leases_not_given_back", reason=str(passing))

    async def _begin_what_is_due(self, group: asyncio.TaskGroup) -> None:
        while len(self._running) < AT_ONCE:
            job = await once_possible(self._jobs.claim)
            if job is None:
                return
            if job.id in self._running:
                continue  # our own lease ran out while the loop was held up; the work still goes on
            self._running.add(job.id)
            group.create_task(self._perform(job), name=f"job {job.id}")

    async def _keep_leases(self) -> None:
        while True:
            await asyncio.sleep(LEASE_S / 3)
            await once_possible(self._jobs.renew)

    async def _perform(self, job: Job) -> None:
        try:
            await once_possible(partial(self._conclude, job, await self._outcome(job)))
        finally:
            self._running.discard(job.id)
            self._bell.ring()  # a slot is free, and a successor may be waiting

    async def _outcome(self, job: Job) -> Outcome:
        try:
            return await self._work(job)
        except Exception:  # noqa: BLE001 - the policy above
            self._log.exception("job_failed", job_id=job.id, kind=job.kind, deployment_id=job.deployment_id)
            return Again("Something went wrong on our side; trying again.", Heard.ANSWERED)

    async def _conclude(self, job: Job, outcome: Outcome) -> None:
        if isinstance(outcome, Again):
            outcome = self._or_give_up(job, outcome)
        match outcome:
            case Settled():
                moved = await self._jobs.settle(job, outcome)
                self._log.info(
                    "job_settled", job_id=job.id, kind=job.kind, deployment_id=job.deployment_id, trigger=outcome.trigger,
                    reason=outcome.reason, superseded=not moved,
                )  # fmt: skip
            case Superseded():
                await self._jobs.supersede(job)
            case Again():
                await self._postpone(job, outcome)

    def _or_give_up(self, job: Job, outcome: Again) -> Again | Settled:
        if gives_up(job, outcome, self._patience, self._clock.now()):
            unknown = outcome.heard is not Heard.ANSWERED
            reason = f"{outcome.reason} {_GIVEN_UP}" if unknown else outcome.reason
            return Settled(Trigger.FAIL, reason, given_up=unknown)
        return outcome

    async def _postpone(self, job: Job, outcome: Again) -> None:
        now = self._clock.now()
        since = (job.unreachable_since or now) if outcome.heard is Heard.SILENT else None
        self._log.warning(
            "job_postponed", job_id=job.id, kind=job.kind, deployment_id=job.deployment_id, attempts=job.attempts,
            reason=outcome.reason,
        )  # fmt: skip
        await self._deployments.explain(job.deployment_id, _WAITING_IN[job.kind], outcome.reason, now)
        postponed = Postponed(
            not_before=now + retry_in(job.attempts, self._patience),
            deadline_at=deadline_after(job, outcome, self._patience, now),
            unreachable_since=since,
            reason=outcome.reason,
        )
        await self._jobs.postpone(job, postponed)
