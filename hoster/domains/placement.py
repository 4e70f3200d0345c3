"""Bringing proved domains to the nodes, and taking them away again.

What the database says is compared with what a node routes, so that every way in which the two can differ (a node that was away, a
crash of ours, a deployment that moved, a node that came back with nothing) is set right in the same way.
"""

import asyncio
from dataclasses import replace

import structlog

from hoster.domains.store import DomainStore, Placement
from hoster.jobs.runner import Bell
from hoster.nodes.model import Worker
from hoster.nodes.project_list import ListedProject, ListUnreadable, domains_of, list_projects
from hoster.nodes.store import NodeStore
from hoster.nodes.worker_client import NodeUnreachable, WorkerClient, WorkerRefused

NODES_AT_ONCE = 8
RETRY_EVERY_S = 5.0


class DomainPlacement:
    """Failure policy: a node that cannot be reached or refuses is asked again, every `retry_s` for what is known to be missing, and
    at every comparison; what the database raises reaches the caller.
    """

    def __init__(
        self, domains: DomainStore, nodes: NodeStore, client: WorkerClient, retry_s: float = RETRY_EVERY_S
    ) -> None:
        self._domains = domains
        self._nodes = nodes
        self._client = client
        self._retry_s = retry_s
        self._bell = Bell()
        self._changed: set[str] = set()
        self._log = structlog.get_logger("domains")

    def changed(self, deployment_id: str) -> None:
        """The node of this deployment is told soon. Forgotten by a crash, it is found by the next comparison."""
        self._changed.add(deployment_id)
        self._bell.ring()

    async def tell_next(self) -> None:
        """Waits until there is something to tell, or it is time to look."""
        await self._bell.heard(self._retry_s)
        for deployment_id in sorted({*await self._domains.waiting(), *self._changed}):
            self._changed.discard(deployment_id)
            placement = await self._domains.placement(deployment_id)
            if placement is not None:
                await self._tell(placement)

    async def compare(self) -> None:
        """Every node, a bounded number at once."""
        turns = asyncio.Semaphore(NODES_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            for node in await self._nodes.everyone():
                group.create_task(self._compare(node.id, turns), name=f"domains of {node.id}")

    async def _compare(self, node_id: str, turns: asyncio.Semaphore) -> None:
        async with turns:
            worker = await self._nodes.worker(node_id)
            if worker is None:
                return
            try:
                listed = {
                    project.project_id: project for project in await list_projects(self._client, worker)
                }
            except (NodeUnreachable, WorkerRefused, ListUnreadable):
                return  # the drift watch asks the same node at the same pace, and says so
            differing = [
                (placement, listed[placement.project_id].domains)
                for placement in await self._domains.placements(node_id)
                if _differs(placement, listed.get(placement.project_id))
            ]
            for (
                placement,
                held,
            ) in differing:  # a name may move between two projects of the node: first it goes
                await self._set(worker, replace(placement, hostnames=placement.hostnames & held), held)
            for placement, held in differing:
                await self._set(worker, placement, held & placement.hostnames)

    async def _tell(self, placement: Placement) -> None:
        worker = await self._nodes.worker(placement.node_id)
        if worker is None:
            return
        try:
            answer = await self._client.command(worker, "GET", f"/projects/{placement.project_id}")
        except (NodeUnreachable, WorkerRefused) as error:
            self._log.info("domains_not_placed", deployment_id=placement.deployment_id, reason=str(error))
            return
        if answer.members.get("org_id") == placement.org_id:
            await self._set(worker, placement, domains_of(answer.members))

    async def _set(self, worker: Worker, placement: Placement, held: frozenset[str]) -> None:
        """From `held` to what the placement says."""
        at = f"/projects/{placement.project_id}/domains"
        placed = set(placement.hostnames & held)
        try:
            for hostname in sorted(held - placement.hostnames):
                await self._client.command(worker, "DELETE", at, {"domain": hostname})
            for hostname in sorted(placement.hostnames - held):
                if await self._add(worker, placement, hostname):
                    placed.add(hostname)
        except (NodeUnreachable, WorkerRefused) as error:
            self._log.info("domains_not_placed", deployment_id=placement.deployment_id, reason=str(error))
        await self._domains.confirm(replace(placement, hostnames=frozenset(placed)))

    async def _add(self, worker: Worker, placement: Placement, hostname: str) -> bool:
        try:
            await self._client.command(
                worker, "POST", f"/projects/{placement.project_id}/domains", {"domain": hostname}
            )
        except WorkerRefused as refused:
            if refused.status == 404 or not refused.is_permanent:
                raise
            await self._domains.explain(hostname, placement.deployment_id, f"The node refused: {refused}")
            return False
        self._log.info("domain_placed", deployment_id=placement.deployment_id, hostname=hostname)
        return True


def _differs(placement: Placement, listed: ListedProject | None) -> bool:
    """A project that the node does not know (yet), or calls someone else's, is not ours to change."""
    return listed is not None and listed.org_id == placement.org_id and listed.domains != placement.hostnames
