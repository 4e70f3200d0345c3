"""What the jobs of a deployment do on its node. Every step may be repeated: a job that was interrupted starts over."""

import asyncio
from typing import assert_never

from hoster.bodies import BodyInvalid
from hoster.deployments.model import Deployment
from hoster.deployments.readiness import is_down, start_times
from hoster.deployments.rollout import ReleaseNotOurs, Rollout
from hoster.deployments.store import DeploymentStore
from hoster.deployments.transitions import State, Trigger
from hoster.jobs.model import Again, Heard, Job, Kind, Outcome, Patience, Settled, Superseded
from hoster.nodes.model import Worker
from hoster.nodes.store import NodeStore
from hoster.nodes.worker_client import NodeUnreachable, WorkerClient, WorkerRefused
from hoster.releases.model import Release
from hoster.releases.renderer import ReleaseRenderer
from shared.clock import Clock

DELETE_DEADLINE_S = 60.0
_RESUMABLE = frozenset({"running", "stopped"})
_SERVING = frozenset({"running"})
_UNDECIDED = frozenset({"deploying"})
_BEGIN_AGAIN = frozenset({Kind.START, Kind.RESTART, Kind.REDEPLOY})
_NOTHING_THERE = frozenset({404, 409})
"""How a node refuses to restart what it does not have: no such project, or one without a release."""


class DeploymentWork:
    """Failure policy: a silent node, or one with trouble of its own, is asked again (`Again`), and one that has lost what was begun
    there gets it again; a refusal that would be repeated fails a start or a stop. A delete is only ever done when the node has said so. A
    redeploy that fails leaves what ran before.
    """

    def __init__(
        self,
        deployments: DeploymentStore,
        nodes: NodeStore,
        renderer: ReleaseRenderer,
        rollout: Rollout,
        client: WorkerClient,
        clock: Clock,
        patience: Patience,
    ) -> None:
        self._deployments = deployments
        self._nodes = nodes
        self._renderer = renderer
        self._rollout = rollout
        self._client = client
        self._clock = clock
        self._patience = patience

    async def perform(self, job: Job) -> Outcome:
        deployment = await self._deployments.get_also_deleted(job.deployment_id)
        if deployment.status is State.DELETED and job.kind is not Kind.DELETE:
            return Superseded()
        worker = await self._nodes.worker(deployment.node_id) if deployment.node_id else None
        try:
            return await self._dispatch(job, deployment, worker)
        except NodeUnreachable as silent:
            return Again(str(silent), Heard.SILENT)
        except WorkerRefused as refused:
            if refused.is_forgotten and job.kind in _BEGIN_AGAIN:
                return Again(f"The node has lost what was begun there: {refused}", Heard.ANSWERED)
            if refused.is_permanent and job.kind is not Kind.DELETE:
                return Settled(Trigger.FAIL, f"The node refused: {refused}")
            return Again(f"The node has a problem: {refused}", Heard.TROUBLED)

    async def _dispatch(self, job: Job, deployment: Deployment, worker: Worker | None) -> Outcome:
        if worker is None:
            if job.kind is Kind.DELETE:
                return Settled(Trigger.GONE)
            return Settled(Trigger.FAIL, "It is on no node. Start it to have it placed on one.")
        match job.kind:
            case Kind.START:
                return await self._start(job, deployment, worker)
            case Kind.STOP:
                return await self._stop(job, deployment, worker)
            case Kind.RESTART:
                return await self._restart(job, deployment, worker)
            case Kind.REDEPLOY:
                return await self._redeploy(job, deployment, worker)
            case Kind.DELETE:
                return await self._delete(job, deployment, worker)
            case _:
                assert_never(job.kind)

    async def _start(self, job: Job, deployment: Deployment, worker: Worker) -> Outcome:
        if deployment.status is State.SCHEDULED:
            await self._deployments.advance(deployment.id, Trigger.BEGIN, self._clock.now())
        return await self._bring_up(job, deployment, worker)

    async def _bring_up(self, job: Job, deployment: Deployment, worker: Worker) -> Outcome:
        """Deploys what the job is to deploy; without that, starts again what the node has, or deploys once more what it has lost."""
        if await self._deployments.state(deployment.id) is not State.STARTING:
            return Superseded()
        release = await self._release(job, deployment)
        if release is None:
            return Settled(Trigger.FAIL, "There is nothing to start: deploy it anew.")
        try:
            rendering = await self._renderer.rendering(deployment, release)
            project = await self._rollout.project(deployment, worker)
        except BodyInvalid as invalid:
            return Settled(Trigger.FAIL, f"It cannot be deployed any more: {invalid}.")
        except ReleaseNotOurs:
            return Settled(Trigger.FAIL, "The node knows this project as someone else's.")
        if job.release_id is None and project.get("release") and project.get("status") in _RESUMABLE:
            await self._client.command(worker, "POST", f"/projects/{deployment.project_id}/start")
            return await self._rollout.until_up(job, deployment, worker, is_checked=rendering.is_checked)
        return await self._rollout.deploy(job, deployment, worker, release, rendering)

    async def _release(self, job: Job, deployment: Deployment) -> Release | None:
        release_id = job.release_id or deployment.release_id
        return await self._renderer.release(release_id) if release_id else None

    async def _redeploy(self, job: Job, deployment: Deployment, worker: Worker) -> Outcome:
        try:
            outcome = await self._bring_up(job, deployment, worker)
        except WorkerRefused as refused:
            may_pass = refused.is_forgotten or not refused.is_permanent
            if may_pass and self._clock.now() < job.deadline_at:
                raise
            outcome = Settled(Trigger.FAIL, f"The node refused: {refused}")
        if not isinstance(outcome, Settled) or outcome.trigger is not Trigger.FAIL:
            return outcome
        return await self._what_remains(deployment, worker, outcome.reason or "It did not come up.")

    async def _what_remains(self, deployment: Deployment, worker: Worker, reason: str) -> Outcome:
        """After a redeploy that failed: does the release before it still serve?"""
        try:
            project = (
                await self._client.command(worker, "GET", f"/projects/{deployment.project_id}")
            ).members
        except WorkerRefused as refused:
            if refused.status != 404:
                raise
            return Settled(Trigger.FAIL, reason)
        status = project.get("status")
        if status in _UNDECIDED:
            return Again(reason, Heard.ANSWERED)
        if status in _SERVING and deployment.release_id is not None:
            return Settled(Trigger.KEPT, f"The new release failed, the one before still serves: {reason}")
        return Settled(Trigger.FAIL, reason)

    async def _restart(self, job: Job, deployment: Deployment, worker: Worker) -> Outcome:
        """Interrupted, it restarts once more: the node does not say whether it has heard of it."""
        if deployment.status is not State.STARTING:
            return Superseded()
        release = await self._release(job, deployment)
        if release is None:
            return Settled(Trigger.FAIL, "There is nothing to restart: deploy it anew.")
        at = f"/projects/{deployment.project_id}"
        is_checked = await self._is_checked(deployment, release)
        try:
            before = (await self._client.command(worker, "GET", at)).members
            await self._client.command(worker, "POST", f"{at}/restart")
        except WorkerRefused as refused:
            if refused.status not in _NOTHING_THERE:
                raise
            return await self._bring_up(job, deployment, worker)
        former = start_times(before)
        return await self._rollout.until_up(job, deployment, worker, is_checked=is_checked, former=former)

    async def _is_checked(self, deployment: Deployment, release: Release) -> bool:
        """Of what runs already, whether or not it could be deployed today: then being up has to do."""
        try:
            return (await self._renderer.rendering(deployment, release)).is_checked
        except BodyInvalid:
            return False

    async def _stop(self, job: Job, deployment: Deployment, worker: Worker) -> Outcome:
        at = f"/projects/{deployment.project_id}"
        try:
            await self._client.command(worker, "POST", f"{at}/stop")
            while await self._deployments.state(deployment.id) is State.STOPPING:
                project = (await self._client.command(worker, "GET", at)).members
                if is_down(project):
                    return Settled(Trigger.DOWN)
                if self._clock.now() >= job.deadline_at:
                    return Again(f"The app is still {project.get('status')}.", Heard.ANSWERED)
                await asyncio.sleep(self._patience.poll_s)
        except WorkerRefused as refused:
            if refused.status == 404:
                return Settled(Trigger.DOWN)  # the node has answered: nothing of this project is there
            raise
        return Superseded()

    async def _delete(self, job: Job, deployment: Deployment, worker: Worker) -> Outcome:
        target = f"/projects/{deployment.project_id}?volumes={job.volumes.value}"
        try:
            await self._client.command(worker, "DELETE", target, deadline_s=DELETE_DEADLINE_S)
        except WorkerRefused as refused:
            if refused.status != 404:
                raise
        return Settled(Trigger.GONE)
