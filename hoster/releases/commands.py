"""Deploying anew, and going back. Neither is billed: what is counted is that something is created, started, stopped or deleted."""

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from hoster.bodies import BodyInvalid
from hoster.deployments.changes import check_growth
from hoster.deployments.model import Deployment
from hoster.deployments.moves import Effects, forget_reason, move
from hoster.deployments.owned import Check, check_engine, check_policy, owned
from hoster.deployments.transitions import InvalidTransition, Move, State, Trigger, decide
from hoster.jobs.model import Kind, Patience
from hoster.jobs.store import Order, enqueue
from hoster.releases.store import begin, find_deployed, restore
from hoster.templates.store import TemplateStore
from hoster.viewer import Viewer
from shared.clock import Clock
from shared.database import Database


@dataclass(frozen=True, slots=True)
class Rolled:
    """`begun` is false where nothing had to be deployed."""

    deployment: Deployment
    begun: bool


class ReleaseCommands:
    def __init__(
        self, database: Database, templates: TemplateStore, clock: Clock, patience: Patience, ring: Callable[[], None]
    ) -> None:  # fmt: skip
        self._database = database
        self._templates = templates
        self._clock = clock
        self._patience = patience
        self._ring = ring

    async def redeploy(self, viewer: Viewer, deployment_id: str, check: Check) -> Deployment:
        """A new release with all that waits. Raises DeploymentNotFound, InvalidTransition, EngineUnavailable, BodyInvalid, and what
        `check` raises.
        """
        now = self._clock.now()
        async with self._database.transaction() as connection:
            deployment = await owned(connection, deployment_id, viewer)
            check(deployment)
            step = _move(deployment, Trigger.REDEPLOY)
            await check_policy(self._templates, deployment)
            await check_engine(connection, deployment, now)
            await move(connection, deployment.id, step, Effects(), now)
            release_id = await begin(connection, deployment, None, now)
            order = Order(Kind.REDEPLOY, release_id=release_id)
            await enqueue(connection, deployment.id, order, self._patience, now)
            after = await owned(connection, deployment_id, viewer)
        self._ring()
        return after

    async def roll_back(self, viewer: Viewer, deployment_id: str, release_id: str, check: Check) -> Rolled:
        """Revision, variables and images of an earlier release. To the one that runs: what waits is forgotten.

        Raises DeploymentNotFound, InvalidTransition, PlanLimitReached, EngineUnavailable, BodyInvalid, and what `check` raises.
        """
        now = self._clock.now()
        async with self._database.transaction() as connection:
            deployment = await owned(connection, deployment_id, viewer)
            check(deployment)
            release = await find_deployed(connection, deployment_id, release_id)
            if release is None:
                raise BodyInvalid.of("release_id", "is not a release of this deployment that has run")
            if release.id == deployment.release_id and deployment.status is State.RUNNING:
                if deployment.needs_release:
                    await restore(connection, release, now)
                await forget_reason(connection, deployment_id, now)
                return Rolled(await owned(connection, deployment_id, viewer), begun=False)
            step = _move(deployment, Trigger.ROLLBACK)
            await check_growth(connection, viewer, deployment, release.resources)
            await check_engine(connection, deployment, now)
            await restore(connection, release, now)
            restored = await owned(connection, deployment_id, viewer)
            await check_policy(self._templates, restored)
            await move(connection, deployment.id, step, Effects(), now)
            new_id = await begin(connection, restored, release.id, now)
            order = Order(Kind.REDEPLOY, release_id=new_id)
            await enqueue(connection, deployment.id, order, self._patience, now)
            after = await owned(connection, deployment_id, viewer)
        self._ring()
        return Rolled(after, begun=True)


RELEASE_COMMANDS = web.AppKey("release_commands", ReleaseCommands)


def _move(deployment: Deployment, trigger: Trigger) -> Move:
    """These orders are never repeats: each is another release. Raises InvalidTransition."""
    step = decide(deployment.status, trigger)
    if not isinstance(step, Move):
        raise InvalidTransition(deployment.status, trigger)
    return step
