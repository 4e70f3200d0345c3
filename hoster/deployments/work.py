"""What the jobs of a deployment do on its node. Every step may be repeated: a job that was interrupted starts over."""

import asyncio
from collections.abc import Mapping
from typing import assert_never

import structlog

from hoster.deployments.model import DEPLOY_STEP, Deployment, GitSource, Happening, ImageSource
from hoster.deployments.readiness import Broken, Ready, is_down, readiness, start_times
from hoster.deployments.store import DeploymentStore
from hoster.deployments.transitions import State, Trigger
from hoster.jobs.model import Again, Job, Kind, Outcome, Patience, Settled, Superseded
from hoster.nodes.model import Worker
from hoster.nodes.store import NodeStore
from hoster.nodes.worker_client import NodeUnreachable, WorkerClient, WorkerRefused
from hoster.ssh_keys.store import SshKeyStore
from hoster.templates.document import read_service
from hoster.templates.rendering import Rendering, render_image, render_service
from hoster.templates.store import TemplateStore
from shared.clock import Clock

DELETE_DEADLINE_S = 60.0
_POLL_LONGEST_S = 1.0
_ENDED_WITHOUT_SUCCESS = frozenset({"failed", "cancelled", "superseded"})
_RESUMABLE = frozenset({"running", "stopped"})


class DeploymentWork:
    """Failure policy: a silent node, or one with trouble of its own, is asked again (`Again`); a refusal that would be repeated
    fails a start or a stop. A delete is only ever done when the node has said so.
    """

    def __init__(
        self,
        deployments: DeploymentStore,
        templates: TemplateStore,
        nodes: NodeStore,
        keys: SshKeyStore,
        client: WorkerClient,
        clock: Clock,
        patience: Patience,
    ) -> None:
        self._deployments = deployments
        self._templates = templates
        self._nodes = nodes
        self._keys = keys
        self._client = client
        self._clock = clock
        self._patience = patience
        self._log = structlog.get_logger("work")

    async def perform(self, job: Job) -> Outcome:
        deployment = await self._deployments.get_also_deleted(job.deployment_id)
        if deployment.status is State.DELETED and job.kind is not Kind.DELETE:
            return Superseded()
        worker = await self._nodes.worker(deployment.node_id) if deployment.node_id else None
        try:
            return await self._dispatch(job, deployment, worker)
        except NodeUnreachable as silent:
            return Again(str(silent), reached_node=False)
        except WorkerRefused as refused:
            if refused.is_permanent and job.kind is not Kind.DELETE:
                return Settled(Trigger.FAIL, f"The node refused: {refused}")
            return Again(f"The node has a problem: {refused}", reached_node=True)

    async def _dispatch(self, job: Job, deployment: Deployment, worker: Worker | None) -> Outcome:
        if worker is None:
            return Settled(
                Trigger.GONE if job.kind is Kind.DELETE else Trigger.FAIL, "It is not on any node."
            )
        match job.kind:
            case Kind.START:
                return await self._start(job, deployment, worker)
            case Kind.STOP:
                return await self._stop(job, deployment, worker)
            case Kind.RESTART:
                return await self._restart(job, deployment, worker)
            case Kind.DELETE:
                return await self._delete(job, deployment, worker)
            case _:
                assert_never(job.kind)

    async def _start(self, job: Job, deployment: Deployment, worker: Worker) -> Outcome:
        if deployment.status is State.SCHEDULED:
            await self._deployments.advance(deployment.id, Trigger.BEGIN, self._clock.now())
        if await self._deployments.state(deployment.id) is not State.STARTING:
            return Superseded()
        rendering = await self._rendering(deployment)
        project = await self._project(deployment, worker)
        if project.get("org_id") != deployment.org_id:
            return Settled(Trigger.FAIL, "The node knows this project as someone else's.")
        if deployment.release_id and project.get("release") and project.get("status") in _RESUMABLE:
            await self._client.command(worker, "POST", f"/projects/{deployment.project_id}/start")
            return await self._until_up(job, deployment, worker, rendering)
        return await self._deploy(job, deployment, worker, rendering)

    async def _rendering(self, deployment: Deployment) -> Rendering:
        values = await self._deployments.values(deployment.id)
        source = deployment.source
        if isinstance(source, ImageSource):
            return render_image(source.image, source.port, values)
        if isinstance(source, GitSource):
            return Rendering(values, await self._git_deploy(deployment.user_id, source))
        document = await self._templates.revision(source.template_id, source.revision)
        return render_service(read_service(document.compose), values)

    async def _git_deploy(self, user_id: str, source: GitSource) -> dict[str, object]:
        git: dict[str, object] = {"url": source.url, "ref": source.ref}
        if source.ssh_key_id is not None:  # it cannot have gone: a key in use is not removed
            git["key"] = await self._keys.private_key(source.ssh_key_id, user_id)
        built = {} if source.dockerfile is None else {"dockerfile": source.dockerfile}
        return {"git": git, "port": source.port, **built}

    async def _project(self, deployment: Deployment, worker: Worker) -> Mapping[str, object]:
        """The project as the node knows it, made when it did not exist."""
        body = {
            "project_id": deployment.project_id,
            "org_id": deployment.org_id,
            "name": deployment.name,
            "visibility": deployment.visibility.value,
            "limits": {
                "cpu": deployment.resources.cpu_cores,
                "memory_mb": deployment.resources.memory_mb,
                "disk_mb": deployment.resources.disk_mb,
            },
        }
        try:
            return (await self._client.command(worker, "POST", "/projects", body)).members
        except WorkerRefused as refused:
            if refused.status != 409:
                raise
        return (await self._client.command(worker, "GET", f"/projects/{deployment.project_id}")).members

    async def _deploy(
        self, job: Job, deployment: Deployment, worker: Worker, rendering: Rendering
    ) -> Outcome:
        """The job's id is the idempotency key: a resumed job finds the deploy that it began."""
        at = f"/projects/{deployment.project_id}"
        if rendering.environment:
            await self._client.command(worker, "POST", f"{at}/env", {"env": dict(rendering.environment)})
        begun = await self._client.command(
            worker, "POST", f"{at}/deploy", {**rendering.deploy, "idempotency_key": job.id}
        )
        deploy_id = str(begun.members.get("deploy_id"))
        told: set[str] = set()
        pause = self._patience.poll_s
        while await self._deployments.state(deployment.id) is State.STARTING:
            record = (await self._client.command(worker, "GET", f"{at}/deploys/{deploy_id}")).members
            await self._tell_steps(deployment.id, deploy_id, record, told)
            status = record.get("status")
            if status == "active":
                return await self._until_up(job, deployment, worker, rendering, deploy_id)
            if status in _ENDED_WITHOUT_SUCCESS:
                return Settled(Trigger.FAIL, str(record.get("reason") or f"The deploy was {status}."))
            if self._clock.now() >= job.deadline_at:
                await self._cancel(worker, f"{at}/deploys/{deploy_id}")
                return Again(f"The deploy was still {status} at its deadline.", reached_node=True)
            await asyncio.sleep(pause)
            pause = min(_POLL_LONGEST_S, pause * 1.05)
        return Superseded()

    async def _until_up(
        self,
        job: Job,
        deployment: Deployment,
        worker: Worker,
        rendering: Rendering,
        release_id: str | None = None,
        former: frozenset[str] = frozenset(),
    ) -> Outcome:
        has_healthcheck = "healthcheck" in rendering.deploy
        if release_id is not None and has_healthcheck:
            return Settled(
                Trigger.UP, release_id=release_id
            )  # the worker checked it before it made it active
        while await self._deployments.state(deployment.id) is State.STARTING:
            project = (
                await self._client.command(worker, "GET", f"/projects/{deployment.project_id}")
            ).members
            verdict = readiness(
                project, has_healthcheck=has_healthcheck, now=self._clock.now(), former=former
            )
            if isinstance(verdict, Ready):
                return Settled(Trigger.UP, release_id=release_id)
            if isinstance(verdict, Broken):
                return Settled(Trigger.FAIL, verdict.why)
            if self._clock.now() >= job.deadline_at:
                return Again(verdict.why, reached_node=True)
            await asyncio.sleep(self._patience.poll_s)
        return Superseded()

    async def _tell_steps(
        self, deployment_id: str, deploy_id: str, record: Mapping[str, object], told: set[str]
    ) -> None:
        steps = record.get("steps")
        fresh = [
            Happening(
                type=DEPLOY_STEP,
                message=f"{step.get('name')}: {step.get('detail') or 'done'}",
                origin=f"{deploy_id}/{step.get('name')}",
                at=self._clock.now(),
            )
            for step in (steps if isinstance(steps, list) else [])
            if isinstance(step, dict) and step.get("finished_at")
        ]
        unheard = [happening for happening in fresh if happening.origin not in told]
        if unheard:
            await self._deployments.tell(deployment_id, unheard)
            told.update(happening.origin for happening in unheard)

    async def _cancel(self, worker: Worker, deploy: str) -> None:
        """Failure policy: logged. The deployment fails either way, and a delete or a new start settles what is left."""
        try:
            await self._client.command(worker, "DELETE", deploy)
        except (NodeUnreachable, WorkerRefused) as error:
            self._log.warning("deploy_not_cancelled", deploy=deploy, reason=str(error))

    async def _restart(self, job: Job, deployment: Deployment, worker: Worker) -> Outcome:
        """Interrupted, it restarts once more: the node does not say whether it has heard of it."""
        if deployment.status is not State.STARTING:
            return Superseded()
        at = f"/projects/{deployment.project_id}"
        rendering = await self._rendering(deployment)
        before = (await self._client.command(worker, "GET", at)).members
        await self._client.command(worker, "POST", f"{at}/restart")
        return await self._until_up(job, deployment, worker, rendering, former=start_times(before))

    async def _stop(self, job: Job, deployment: Deployment, worker: Worker) -> Outcome:
        at = f"/projects/{deployment.project_id}"
        try:
            await self._client.command(worker, "POST", f"{at}/stop")
            while await self._deployments.state(deployment.id) is State.STOPPING:
                project = (await self._client.command(worker, "GET", at)).members
                if is_down(project):
                    return Settled(Trigger.DOWN)
                if self._clock.now() >= job.deadline_at:
                    return Again(f"The app is still {project.get('status')}.", reached_node=True)
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
