"""What a deployment's node is asked, and its answers in the fields of Hoster's contract."""

from collections.abc import Iterable, Mapping
from urllib.parse import urlencode

from aiohttp import web

from hoster.bodies import BodyInvalid
from hoster.deployments.model import DEPLOY_STEP, Deployment
from hoster.deployments.readiness import services_of
from hoster.deployments.store import DeploymentStore
from hoster.deployments.transitions import NOT_MEANT_TO_RUN
from hoster.monitoring.health import containers_of, overall
from hoster.nodes.model import Worker
from hoster.nodes.store import NodeStore
from hoster.nodes.worker_client import NodeUnreachable, WorkerClient, WorkerRefused
from shared.clock import Clock, rfc3339
from shared.problem import FieldFault

DEADLINE_S = 8.0
SILENT_DEADLINE_S = 1.5
"""For a node that sends no heartbeats: most likely it does not answer either, and whoever looks at it should not wait long."""

_STATS_FIELDS = (
    "name",
    "cpu_percent",
    "memory_usage_bytes",
    "memory_limit_bytes",
    "memory_percent",
    "network_rx_bytes",
    "network_tx_bytes",
    "block_read_bytes",
    "block_write_bytes",
    "pids",
)
_EVENT_FIELDS = ("id", "type", "container", "message", "timestamp")
_LOG_FIELDS = ("id", "container", "timestamp", "stream", "message")

_DEPLOY_FIELDS = ("deploy_id", "status", "reason", "created_at", "finished_at")
_DEPLOY_DETAILS = ("steps", "health_attempts", "log_tail")


class Monitor:
    """A deployment that was never placed, or that its node does not know, has no containers: that is an answer, not an error.

    Failure policy: NodeUnreachable reaches the caller, also for a node whose container engine is down.
    """

    def __init__(
        self, nodes: NodeStore, deployments: DeploymentStore, client: WorkerClient, clock: Clock
    ) -> None:
        self._nodes = nodes
        self._deployments = deployments
        self._client = client
        self._clock = clock

    async def worker(self, deployment: Deployment) -> Worker | None:
        return await self._nodes.worker(deployment.node_id) if deployment.node_id else None

    async def health(self, deployment: Deployment) -> dict[str, object]:
        """Unknown while the node sends no heartbeats, and of a deployment that is not meant to run."""
        project: Mapping[str, object] = {}
        if deployment.node_id and await self._is_online(deployment.node_id):
            project = await self._ask(deployment, "")
        meant = deployment.status not in NOT_MEANT_TO_RUN
        containers = containers_of(services_of(project), is_meant_to_run=meant)
        return {
            "status": overall(containers).value,
            "containers": [container.as_json() for container in containers],
            "checked_at": rfc3339(self._clock.now()),
        }

    async def stats(self, deployment: Deployment) -> dict[str, object]:
        answer = await self._ask(deployment, "/stats")
        collected_at = answer.get("collected_at")
        return {
            "containers": _select(answer.get("containers"), _STATS_FIELDS),
            "collected_at": collected_at if isinstance(collected_at, str) else rfc3339(self._clock.now()),
        }

    async def logs(self, deployment: Deployment, query: Mapping[str, str]) -> dict[str, object]:
        answer = await self._ask(deployment, target_of("/logs", query))
        return {"items": _select(answer.get("items"), _LOG_FIELDS)}

    async def events(self, deployment: Deployment, kind: str | None, limit: int) -> dict[str, object]:
        """The node's own, newest first, with the changes of state that were decided here. Deploy steps are told by the node as
        long as it knows the project; what was heard of them remains afterwards.
        """
        query = {"limit": str(limit), **({} if kind is None else {"type": kind})}
        answer = await self._ask(deployment, target_of("/events", query))
        heard = await self._deployments.events(deployment.id, kind, limit)
        items = _select(answer.get("items"), _EVENT_FIELDS)
        items += [event.as_json() for event in heard if not (answer and event.type == DEPLOY_STEP)]
        items.sort(key=lambda item: str(item["timestamp"]), reverse=True)
        return {"items": items[:limit]}

    async def deploys(self, deployment: Deployment) -> list[dict[str, object]]:
        """How each release was deployed, newest first, as the node has recorded it."""
        answer = await self._ask(deployment, "/deploys")
        return [_explained(one) for one in _select(answer.get("items"), _DEPLOY_FIELDS)]

    async def deploy(self, deployment: Deployment, deploy_id: str) -> dict[str, object] | None:
        """With its steps, health attempts and last log lines. None when the node does not know it."""
        answer = await self._ask(deployment, f"/deploys/{deploy_id}")
        found = _select([answer] if answer else [], (*_DEPLOY_FIELDS, *_DEPLOY_DETAILS))
        return next((_explained(one) for one in found), None)

    async def _ask(self, deployment: Deployment, what: str) -> Mapping[str, object]:
        worker = await self.worker(deployment)
        if worker is None:
            return {}
        target = f"/projects/{deployment.project_id}{what}"
        deadline_s = DEADLINE_S if await self._is_online(worker.node_id) else SILENT_DEADLINE_S
        try:
            return (await self._client.command(worker, "GET", target, deadline_s=deadline_s)).members
        except WorkerRefused as refused:
            if refused.status == 404:
                return {}
            raise cannot_answer(worker, refused) from refused

    async def _is_online(self, node_id: str) -> bool:
        node = await self._nodes.get(node_id)
        return node is not None and node.is_online(self._clock.now())


MONITOR = web.AppKey("monitor", Monitor)


def cannot_answer(worker: Worker, refused: WorkerRefused) -> BodyInvalid | NodeUnreachable:
    """Whose fault a refusal is: the reader's, who asked for something that cannot be read, or the node's."""
    if refused.status == 422:
        unnamed = FieldFault("query", refused.detail or "was not understood by the node")
        return BodyInvalid(list(refused.faults) or [unnamed])
    return NodeUnreachable(f"Node {worker.node_id} could not answer: {refused}")


def target_of(path: str, query: Mapping[str, str]) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def _explained(deploy: dict[str, object]) -> dict[str, object]:
    """The node's empty reason is none, as everywhere else here."""
    return {**deploy, "reason": deploy["reason"] or None}


def _select(items: object, fields: tuple[str, ...]) -> list[dict[str, object]]:
    found: Iterable[object] = items if isinstance(items, list) else []
    return [{field: item.get(field) for field in fields} for item in found if isinstance(item, dict)]
