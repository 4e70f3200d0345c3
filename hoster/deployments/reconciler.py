"""Compares what each node shows with what is recorded, at start and from then on, and sets right what differs."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import structlog

from hoster.deployments.drift import Decision, Recorded, Remedy, Seen, plan
from hoster.deployments.readiness import REASON_MOST
from hoster.deployments.remedies import Remedies
from hoster.nodes.model import Worker
from hoster.nodes.project_list import ListUnreadable, list_projects
from hoster.nodes.store import NodeStore
from hoster.nodes.worker_client import NodeUnreachable, WorkerClient, WorkerRefused
from shared.clock import Clock

NODES_AT_ONCE = 8

_DOWN = frozenset({"failed", "crashed"})


class Reconciler:
    """Failure policy: a node that cannot be reached, refuses, or answers something else changes nothing, and is logged; what the
    database raises reaches the caller.
    """

    def __init__(
        self,
        nodes: NodeStore,
        remedies: Remedies,
        client: WorkerClient,
        clock: Clock,
        ring: Callable[[], None],
    ) -> None:
        self._nodes = nodes
        self._remedies = remedies
        self._client = client
        self._clock = clock
        self._ring = ring
        self._log = structlog.get_logger("drift")

    async def reconcile(self) -> None:
        """Every node that has joined, a bounded number at once."""
        turns = asyncio.Semaphore(NODES_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            for node in await self._nodes.everyone():
                group.create_task(self._reconcile(node.id, turns), name=f"drift of {node.id}")

    async def _reconcile(self, node_id: str, turns: asyncio.Semaphore) -> None:
        async with turns:
            worker = await self._nodes.worker(node_id)
            if worker is None:
                return
            try:
                for decision in await self._decisions(worker):
                    await self._settle(worker, decision)
            except (NodeUnreachable, WorkerRefused, ListUnreadable) as error:
                self._log.warning("node_not_compared", node_id=node_id, reason=str(error))

    async def _decisions(self, worker: Worker) -> list[Decision]:
        began = self._clock.now()
        live = await self._remedies.recorded(worker.node_id)
        seen = await self._seen(worker)
        others = {project.project_id for project in seen} - {one.project_id for one in live}
        deleted = await self._remedies.deleted(sorted(others), before=began)
        return plan([*live, *deleted], seen)

    async def _seen(self, worker: Worker) -> list[Seen]:
        listed = await list_projects(self._client, worker)
        return [Seen(project.project_id, project.org_id, project.status) for project in listed]

    async def _settle(self, worker: Worker, decision: Decision) -> None:
        if decision.remedy is Remedy.FAIL:
            why = await self._why_down(worker, decision.recorded)
            if why is None:
                return  # it has come back since the list was made
            decision = replace(decision, reason=why or decision.reason)
        if await self._remedies.apply(decision):
            self._log.info(
                "drift_settled", node_id=worker.node_id, deployment_id=decision.recorded.deployment_id,
                remedy=decision.remedy, reason=decision.reason,
            )  # fmt: skip
            self._ring()

    async def _why_down(self, worker: Worker, recorded: Recorded) -> str | None:
        """The node's own words, empty when it has none; None when the project is not down."""
        project = (await self._client.command(worker, "GET", f"/projects/{recorded.project_id}")).members
        if project.get("status") not in _DOWN:
            return None
        reason = project.get("status_reason")
        return reason[:REASON_MOST] if isinstance(reason, str) else ""
