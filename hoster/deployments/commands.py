"""The operations on deployments. Each is one transaction: the change of state, the job that carries it out, the billing event.

Rules:
- An operation is named by APIGate's request id, and performed once under it: asked again, it answers from its record.
- A repeat, a refusal and an error write nothing.
"""

import secrets
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import aiosqlite
from aiohttp import web

from hoster.billing.store import BillingEvent, Operation, record, recorded
from hoster.bodies import BodyInvalid
from hoster.deployments import naming
from hoster.deployments.limits import PlanLimitReached, check_capabilities, check_limits
from hoster.deployments.model import Deployment, Visibility
from hoster.deployments.moves import Effects, move
from hoster.deployments.owned import Check, check_engine, check_policy, owned
from hoster.deployments.placement import Demand, NoNodeAvailable, Refusal, choose
from hoster.deployments.port_variable import check_port_variable
from hoster.deployments.resources import Resources
from hoster.deployments.rows import read_also_deleted
from hoster.deployments.sources import GitSource, ImageSource, Source, TemplateSource
from hoster.deployments.store import DeploymentStore, NewDeployment, usage_of
from hoster.deployments.transitions import Repeat, Trigger, decide
from hoster.jobs import store as jobs
from hoster.jobs.model import Kind, Patience, Volumes
from hoster.nodes.store import candidates
from hoster.releases.store import begin
from hoster.ssh_keys.store import has_key
from hoster.templates.document import read_stack
from hoster.templates.model import Scalar, TemplateDocument
from hoster.templates.passwords import new_password
from hoster.templates.store import TemplateStore
from hoster.templates.variables import Values, plain, resolve
from hoster.viewer import Viewer
from shared.clock import Clock
from shared.database import Database
from shared.ids import new_id

ACCEPTED = 202
IMAGE_RESOURCES = Resources(500, 256, 512)
"""What a deployment of a bare image is given, since no template says what it needs."""

_SUFFIX_ALPHABET = string.ascii_lowercase + string.digits
_JOBS = {Trigger.START: Kind.START, Trigger.STOP: Kind.STOP, Trigger.DELETE: Kind.DELETE}
_EVENTS = {
    Trigger.START: "deployment.started",
    Trigger.STOP: "deployment.stopped",
    Trigger.DELETE: "deployment.deleted",
}
_CREATED = "deployment.created"


class RequestIdReused(Exception):
    """Another operation was performed under this request id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a customer asks to be deployed. `source` is an image, a repository, or the id of a template."""

    name: str
    source: ImageSource | GitSource | str
    variables: Mapping[str, Scalar]
    visibility: Visibility
    node_id: str | None
    region: str | None
    start: bool


@dataclass(frozen=True, slots=True)
class Performed:
    """`event_type` None: nothing was changed, so nothing is billed."""

    deployment: Deployment
    event_type: str | None


class DeploymentCommands:
    def __init__(
        self, database: Database, deployments: DeploymentStore, templates: TemplateStore, clock: Clock,
        patience: Patience, ring: Callable[[], None],
    ) -> None:  # fmt: skip
        self._database = database
        self._deployments = deployments
        self._templates = templates
        self._clock = clock
        self._patience = patience
        self._ring = ring

    async def create(self, viewer: Viewer, order: Order) -> Performed:
        """Raises BodyInvalid, PlanLimitReached, NoNodeAvailable, EngineUnavailable or RequestIdReused."""
        new = await self._prepare(viewer, order)
        now = self._clock.now()
        async with self._database.transaction() as connection:
            before = await recorded(connection, viewer.request_id)
            if before is not None:
                return await _replay(connection, before, viewer, _CREATED, before.resource_id)
            check_limits(viewer.limits, await usage_of(connection, viewer.user_id), new.resources)
            check_capabilities(viewer.limits, new.required_capabilities)
            await _check_node(connection, viewer, new.node_id, now)
            await _check_key(connection, viewer, new.source)
            await self._deployments.insert(connection, new, now)
            if order.start:
                await self._schedule(connection, viewer, await owned(connection, new.id, viewer), now)
            await record(connection, _operation(viewer, _CREATED, new.id), now)
            deployment = await owned(connection, new.id, viewer)
        self._ring()
        return Performed(deployment, _CREATED)

    async def start(self, viewer: Viewer, deployment_id: str, check: Check) -> Performed:
        """Raises DeploymentNotFound, InvalidTransition, NoNodeAvailable, EngineUnavailable, RequestIdReused, and what `check` raises."""
        return await self._operate(viewer, deployment_id, Trigger.START, check)

    async def stop(self, viewer: Viewer, deployment_id: str, check: Check) -> Performed:
        """Raises DeploymentNotFound, InvalidTransition, RequestIdReused, and what `check` raises."""
        return await self._operate(viewer, deployment_id, Trigger.STOP, check)

    async def delete(self, viewer: Viewer, deployment_id: str, volumes: Volumes, check: Check) -> Performed:
        """Raises DeploymentNotFound, RequestIdReused, and what `check` raises."""
        return await self._operate(viewer, deployment_id, Trigger.DELETE, check, volumes)

    async def restart(self, viewer: Viewer, deployment_id: str, check: Check) -> Deployment:
        """Never billed. Raises DeploymentNotFound, EngineUnavailable, InvalidTransition unless it is running, and what `check` raises."""
        now = self._clock.now()
        async with self._database.transaction() as connection:
            deployment = await owned(connection, deployment_id, viewer)
            check(deployment)
            step = decide(deployment.status, Trigger.RESTART)
            if isinstance(step, Repeat):  # a restart is never a repeat; said for the type
                return deployment
            await check_engine(connection, deployment, now)
            await move(connection, deployment.id, step, Effects(), now)
            await jobs.enqueue(connection, deployment.id, jobs.Order(Kind.RESTART), self._patience, now)
            after = await owned(connection, deployment.id, viewer)
        self._ring()
        return after

    async def _operate(
        self,
        viewer: Viewer,
        deployment_id: str,
        trigger: Trigger,
        check: Check,
        volumes: Volumes = Volumes.KEEP,
    ) -> Performed:
        now = self._clock.now()
        event_type = _EVENTS[trigger]
        async with self._database.transaction() as connection:
            before = await recorded(connection, viewer.request_id)
            if before is not None:
                return await _replay(connection, before, viewer, event_type, deployment_id)
            deployment = await owned(connection, deployment_id, viewer)
            check(deployment)
            step = decide(deployment.status, trigger)
            if isinstance(step, Repeat):
                return Performed(deployment, None)
            if deployment.node_id is None and trigger is Trigger.START:  # new, or its node was lost
                await check_policy(self._templates, deployment)
                await self._schedule(connection, viewer, deployment, now)
            else:
                job = await self._job(connection, deployment, trigger, volumes, now)
                await move(connection, deployment.id, step, Effects(), now)
                await jobs.enqueue(connection, deployment.id, job, self._patience, now)
            await record(connection, _operation(viewer, event_type, deployment.id), now)
            after = await owned(connection, deployment.id, viewer)
        self._ring()
        return Performed(after, event_type)

    async def _job(
        self,
        connection: aiosqlite.Connection,
        deployment: Deployment,
        trigger: Trigger,
        volumes: Volumes,
        now: float,
    ) -> jobs.Order:
        """A start also deploys what has waited for it; without that, it starts again what ran. Raises EngineUnavailable, BodyInvalid."""
        release_id = None
        if trigger is Trigger.START:
            await check_engine(connection, deployment, now)
            if deployment.needs_release:
                await check_policy(self._templates, deployment)
                release_id = await begin(connection, deployment, None, now)
        return jobs.Order(_JOBS[trigger], volumes, release_id)

    async def _schedule(
        self, connection: aiosqlite.Connection, viewer: Viewer, deployment: Deployment, now: float
    ) -> None:
        """Chooses the node, moves on, and records the job that deploys everything there."""
        demand = Demand(
            resources=deployment.resources,
            region=deployment.requested_region,
            required_capabilities=deployment.required_capabilities,
            allowed_capabilities=viewer.limits.allowed_capabilities,
        )
        offers = await candidates(connection, viewer.user_id, deployment.requested_node_id, now)
        try:
            node_id = choose(offers, demand)
        except NoNodeAvailable as nowhere:
            if set(nowhere.reasons) == {Refusal.PLAN}:
                offered = sorted({name for offer in offers for name in offer.capabilities})
                raise PlanLimitReached(
                    "allowed_capabilities", offered, sorted(demand.allowed_capabilities)
                ) from nowhere
            raise
        step = decide(deployment.status, Trigger.START)
        if isinstance(step, Repeat):  # what is on no node has not been started; said for the type
            return
        await move(connection, deployment.id, step, Effects(node_id=node_id), now)
        order = jobs.Order(Kind.START, release_id=await begin(connection, deployment, None, now))
        await jobs.enqueue(connection, deployment.id, order, self._patience, now)

    async def _prepare(self, viewer: Viewer, order: Order) -> NewDeployment:
        source, document = await self._source(viewer, order)
        check_port_variable(source, order.variables)
        return NewDeployment(
            id=new_id("dep_"),
            user_id=viewer.user_id,
            org_id=viewer.org_id,
            name=order.name,
            project_id=naming.project_id(order.name, _suffix()),
            source=source,
            visibility=order.visibility,
            node_id=order.node_id,
            region=order.region,
            required_capabilities=document.required_capabilities if document else frozenset(),
            resources=document.resources if document else IMAGE_RESOURCES,
            values=_values(order, document),
        )

    async def _source(self, viewer: Viewer, order: Order) -> tuple[Source, TemplateDocument | None]:
        if not isinstance(order.source, str):
            return order.source, None
        template = await self._templates.find(order.source, viewer.user_id)
        if template is None:
            raise BodyInvalid.of("template_id", "is not the id of a template")
        read_stack(template.document.compose)  # what was permitted when it was written need not be today
        return TemplateSource(template.id, template.revision), template.document


DEPLOYMENT_COMMANDS = web.AppKey("deployment_commands", DeploymentCommands)


def _values(order: Order, document: TemplateDocument | None) -> Values:
    if document is None:
        return plain(order.variables)
    return resolve(document.variables, order.variables, new_password)


async def _replay(
    connection: aiosqlite.Connection, before: BillingEvent, viewer: Viewer, event_type: str, resource_id: str
) -> Performed:
    same = (viewer.user_id, event_type, resource_id) == (
        before.user_id,
        before.event_type,
        before.resource_id,
    )
    if not same:
        raise RequestIdReused
    return Performed(await read_also_deleted(connection, before.resource_id), before.event_type)


async def _check_node(
    connection: aiosqlite.Connection, viewer: Viewer, node_id: str | None, now: float
) -> None:
    if node_id is not None and not await candidates(connection, viewer.user_id, node_id, now):
        raise BodyInvalid.of("node_id", "is not the id of a node that you may use")


async def _check_key(connection: aiosqlite.Connection, viewer: Viewer, source: Source) -> None:
    """In the transaction that makes the key one in use: it cannot be removed in between."""
    if not isinstance(source, GitSource) or source.ssh_key_id is None:
        return
    if not await has_key(connection, source.ssh_key_id, viewer.user_id):
        raise BodyInvalid.of("source.git.ssh_key_id", "is not the id of an SSH key of yours")


def _operation(viewer: Viewer, event_type: str, deployment_id: str) -> Operation:
    return Operation(
        user_id=viewer.user_id,
        event_type=event_type,
        resource_id=deployment_id,
        request_id=viewer.request_id,
        status=ACCEPTED,
    )


def _suffix() -> str:
    return "".join(secrets.choice(_SUFFIX_ALPHABET) for _ in range(8))
