"""Bringing a release to its node, and seeing it up. Every step may be repeated: a job that was interrupted starts over."""

import asyncio
from collections.abc import Mapping

import structlog

from hoster.deployments.model import DEPLOY_STEP, Deployment, Happening
from hoster.deployments.readiness import Broken, Ready, readiness
from hoster.deployments.store import DeploymentStore
from hoster.deployments.transitions import State, Trigger
from hoster.jobs.model import Job, Outcome, Patience, Settled, Superseded
from hoster.nodes.model import Worker
from hoster.nodes.worker_client import NodeUnreachable, NotTheWorker, WorkerClient, WorkerRefused
from hoster.releases.model import Deployed, Release, ReleaseImage
from hoster.releases.store import ReleaseStore
from hoster.templates.rendering import BuildRendering, Rendering
from shared.clock import Clock

_POLL_LONGEST_S = 1.0
_ENDED_WITHOUT_SUCCESS = frozenset({"failed", "cancelled", "superseded"})
_NOT_RESTORABLE = frozenset({404, 409, 422})
"""How a node refuses to run a release that it does not keep any more."""
_PAST_CANCELLING = 409


class ReleaseNotOurs(Exception):
    """The node knows a project of this name as another organisation's."""


class Rollout:
    """Raises NodeUnreachable and WorkerRefused; what they mean is the job's to say."""

    def __init__(
        self,
        deployments: DeploymentStore,
        releases: ReleaseStore,
        client: WorkerClient,
        clock: Clock,
        patience: Patience,
    ) -> None:
        self._deployments = deployments
        self._releases = releases
        self._client = client
        self._clock = clock
        self._patience = patience
        self._log = structlog.get_logger("rollout")

    async def project(self, deployment: Deployment, worker: Worker) -> Mapping[str, object]:
        """The project as the node knows it, made when it did not exist, with the visibility that its owner wants.

        Raises ReleaseNotOurs.
        """
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
        at = f"/projects/{deployment.project_id}"
        try:
            project = (await self._client.command(worker, "POST", "/projects", body)).members
        except WorkerRefused as refused:
            if refused.status != 409:
                raise
            project = (await self._client.command(worker, "GET", at)).members
            if project.get("org_id") != deployment.org_id:
                raise ReleaseNotOurs from refused
            if project.get("visibility") != deployment.visibility.value:
                wanted = {"visibility": deployment.visibility.value}
                await self._client.command(worker, "POST", f"{at}/visibility", wanted)
        if deployment.node_visibility is not deployment.visibility:
            await self._deployments.note_visibility(deployment.id, deployment.visibility)
        return project

    async def deploy(
        self,
        job: Job,
        deployment: Deployment,
        worker: Worker,
        release: Release,
        rendering: Rendering | BuildRendering,
    ) -> Outcome:
        """The job's id is the idempotency key: a resumed job finds the deploy that it began."""
        at = f"/projects/{deployment.project_id}"
        deploy_id = await self._begin(job, deployment, worker, release, rendering)
        told: set[str] = set()
        pause = self._patience.poll_s
        while await self._deployments.state(deployment.id) is State.STARTING:
            record = (await self._client.command(worker, "GET", f"{at}/deploys/{deploy_id}")).members
            await self._tell_steps(deployment.id, deploy_id, record, told)
            status = record.get("status")
            if status == "active":
                deployed = await self._deployed(worker, at, deploy_id)
                return await self.until_up(
                    job, deployment, worker, is_checked=rendering.is_checked, deployed=deployed
                )
            if status in _ENDED_WITHOUT_SUCCESS:
                return Settled(Trigger.FAIL, str(record.get("reason") or f"The deploy was {status}."))
            is_late = self._clock.now() >= job.deadline_at
            if is_late and await self._is_cancelled(worker, f"{at}/deploys/{deploy_id}"):
                return Settled(Trigger.FAIL, f"The deploy was still {status} at its deadline.")
            await asyncio.sleep(pause)
            pause = min(_POLL_LONGEST_S, pause * 1.05)
        return Superseded()

    async def _begin(
        self,
        job: Job,
        deployment: Deployment,
        worker: Worker,
        release: Release,
        rendering: Rendering | BuildRendering,
    ) -> str:
        """A release that the node still keeps is run again as it is; any other from its record."""
        target = f"/projects/{deployment.project_id}/deploy"
        original = await self._releases.get(release.restores) if release.restores else None
        if original is not None and original.node_release and original.node_id == worker.node_id:
            again = {"release": original.node_release, "idempotency_key": job.id}
            try:
                return await self._deploy_id(worker, target, again)
            except WorkerRefused as refused:
                if refused.status not in _NOT_RESTORABLE:
                    raise
                self._log.info("release_not_kept", release_id=original.id, reason=str(refused))
        if rendering.environment is not None:
            variables = {"env": dict(rendering.environment), "mode": "replace"}
            await self._client.command(worker, "POST", f"/projects/{deployment.project_id}/env", variables)
        anew = {**rendering.deploy_body(), "idempotency_key": job.id}
        return await self._deploy_id(worker, target, anew)

    async def _deploy_id(self, worker: Worker, target: str, body: Mapping[str, object]) -> str:
        answer = await self._client.command(worker, "POST", target, body)
        try:
            return answer.text("deploy_id")
        except NotTheWorker as error:
            raise NodeUnreachable(f"Node {worker.node_id} cannot be reached: {error}.") from error

    async def _is_cancelled(self, worker: Worker, deploy: str) -> bool:
        """A deploy is only over when the node has said that the new release will not come after all: false when it is past that."""
        try:
            await self._client.command(worker, "DELETE", deploy)
        except WorkerRefused as refused:
            if refused.status != _PAST_CANCELLING:
                raise
            self._log.info("deploy_not_cancelled", deploy=deploy, reason=str(refused))
            return False
        return True

    async def _deployed(self, worker: Worker, at: str, deploy_id: str) -> Deployed:
        """One deploy makes one release, and both have the same name on the node."""
        items = (await self._client.command(worker, "GET", f"{at}/releases")).members.get("items")
        listed = items if isinstance(items, list) else []
        mine = next(
            (item for item in listed if isinstance(item, dict) and item.get("release_id") == deploy_id), {}
        )
        images = mine.get("images")
        seen = images.items() if isinstance(images, dict) else ()
        return Deployed(
            deploy_id, tuple(_image(str(name), image) for name, image in seen if isinstance(image, dict))
        )

    async def until_up(
        self,
        job: Job,
        deployment: Deployment,
        worker: Worker,
        *,
        is_checked: bool,
        deployed: Deployed | None = None,
        former: frozenset[str] = frozenset(),
    ) -> Outcome:
        """`former` are the start times from before a restart. What was deployed with a health check the node has seen pass."""
        if deployed is not None and is_checked:
            return Settled(Trigger.UP, deployed=deployed)
        at = f"/projects/{deployment.project_id}"
        while await self._deployments.state(deployment.id) is State.STARTING:
            project = (await self._client.command(worker, "GET", at)).members
            verdict = readiness(project, is_checked=is_checked, now=self._clock.now(), former=former)
            if isinstance(verdict, Ready):
                return Settled(Trigger.UP, deployed=deployed)
            if isinstance(verdict, Broken):
                return Settled(Trigger.FAIL, verdict.why, may_recover=deployed is None)
            if self._clock.now() >= job.deadline_at:
                return Settled(Trigger.FAIL, verdict.why, may_recover=deployed is None)
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


def _image(service: str, seen: Mapping[str, object]) -> ReleaseImage:
    digest = seen.get("digest")
    return ReleaseImage(
        service, str(seen.get("image")), digest if isinstance(digest, str) and digest else None
    )
