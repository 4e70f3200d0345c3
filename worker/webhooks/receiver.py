"""From a genuine webhook to at most one deploy."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from shared.clock import Clock
from worker.deploys.commands import DeployCommands
from worker.deploys.request import DeployRequest
from worker.projects.environment import EnvironmentCipher
from worker.projects.store import ProjectStore
from worker.webhooks.authentication import check_signature
from worker.webhooks.deliveries import DeliveryStore
from worker.webhooks.push import Ignored, Push, delivery_keys, read_push
from worker.webhooks.source import newest, pushed


class WebhookSecretMissing(Exception):
    """The project has no webhook secret, so nobody can prove to be its git host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """`commanded`: the request carries a valid signature of the worker's own, which `worker.signature_check` has verified."""

    headers: Mapping[str, str]
    body: bytes
    commanded: bool


@dataclass(frozen=True, slots=True)
class Queued:
    deploy_id: str
    commit: str


@dataclass(frozen=True, slots=True)
class Repeated:
    """The delivery came before, and deployed this."""

    deploy_id: str


class WebhookReceiver:
    """Deliveries are taken one by one in the order in which they arrived, so that of many pushes the last one is queued last."""

    def __init__(
        self,
        commands: DeployCommands,
        projects: ProjectStore,
        deliveries: DeliveryStore,
        cipher: EnvironmentCipher,
        clock: Clock,
    ) -> None:
        self._commands = commands
        self._projects = projects
        self._deliveries = deliveries
        self._cipher = cipher
        self._clock = clock
        self._turn = asyncio.Lock()

    async def receive(self, project_id: str, webhook: Webhook) -> Queued | Repeated | Ignored:
        """Raises ProjectUnknown, WebhookSecretMissing, WebhookUnsigned, WebhookUnreadable, EngineUnavailable."""
        body_signed = webhook.commanded or await self._check(project_id, webhook)
        if webhook.commanded and webhook.body.strip() in {b"", b"{}"}:
            return await self._deploy_newest(project_id)
        push = read_push(webhook.headers, webhook.body)
        if isinstance(push, Ignored):
            return push
        keys = delivery_keys(webhook.headers, webhook.body, body_signed=body_signed)
        async with self._turn:
            return await self._deploy(project_id, push, keys)

    async def _check(self, project_id: str, webhook: Webhook) -> bool:
        sealed = await self._projects.webhook_secret(project_id)
        if sealed is None:
            raise WebhookSecretMissing(WebhookSecretMissing.__doc__)
        secret = self._cipher.open(f"webhook/{project_id}", sealed)["webhook_secret"]
        return check_signature(webhook.headers, webhook.body, secret)

    async def _deploy(self, project_id: str, push: Push, keys: list[str]) -> Queued | Repeated | Ignored:
        request = pushed(await self._current(project_id), push)
        if isinstance(request, Ignored):
            return request
        known = await self._deliveries.deploy_of(project_id, keys)
        if known is not None:
            return Repeated(known)
        if await self._is_late(project_id, push):
            return Ignored(f"a later push to {push.branch} is here already")
        # The key makes a crash between the two records harmless: the repeated delivery gets the same deploy.
        deploy = await self._commands.deploy(project_id, request, f"webhook:{keys[0]}")
        await self._deliveries.add(project_id, keys, push, deploy.deploy_id, self._clock.now())
        return Queued(deploy.deploy_id, push.after)

    async def _is_late(self, project_id: str, push: Push) -> bool:
        """Pushes may overtake each other on their way. One that goes on from the last one here is never late, not even backwards."""
        last = await self._deliveries.last(project_id, push.branch)
        if last is None or push.before in {"", last.after}:
            return False
        return await self._deliveries.is_predecessor(project_id, push)

    async def _deploy_newest(self, project_id: str) -> Queued | Ignored:
        request = newest(await self._current(project_id))
        if isinstance(request, Ignored):
            return request
        deploy = await self._commands.deploy(project_id, request, None)
        return Queued(deploy.deploy_id, "")

    async def _current(self, project_id: str) -> DeployRequest | None:
        """Of the newest deploy, whatever became of it: a push is how a broken one is mended. Raises ProjectUnknown."""
        deploys = await self._commands.newest(project_id, 1)
        return deploys[0].request if deploys else None
