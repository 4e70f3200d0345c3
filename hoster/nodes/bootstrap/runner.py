"""Carries out the recorded bootstraps, a few at once; one that was interrupted by a crash is taken up again."""

import asyncio
from dataclasses import replace
from functools import partial
from math import inf

import structlog

from hoster.jobs.model import Patience, retry_in
from hoster.jobs.runner import Bell
from hoster.nodes.bootstrap.bundle import BundleMissing
from hoster.nodes.bootstrap.installation import AnotherNode, MachineUnsuitable, Platform, install_worker
from hoster.nodes.bootstrap.model import Bootstrap, Credentials, Machine
from hoster.nodes.bootstrap.ssh import (
    CommandFailed,
    ConnectionLost,
    HostKeyDiffers,
    LoginRefused,
    MachineUnreachable,
    session,
    settle_host_key,
)
from hoster.nodes.bootstrap.store import BootstrapStore
from hoster.nodes.store import NodeStore
from shared.clock import Clock
from shared.database import once_possible

AT_ONCE = 4
DEADLINE_S = 1800.0
HEARD_WITHIN_S = 60.0
LOOK_EVERY_S = 5.0
_LISTEN_EVERY_S = 0.5

_EXPECTED = (
    AnotherNode, BundleMissing, CommandFailed, HostKeyDiffers, LoginRefused, MachineUnreachable, MachineUnsuitable, TimeoutError,
)  # fmt: skip


class BootstrapRunner:
    """Failure policy: a machine that does not answer, or not any more, is tried again for a while: it may be about to boot. What goes
    wrong on the machine fails the bootstrap, with the reason for its owner, who may order it again; a defect of ours is logged and fails it
    too. A database that is full or busy is waited for; what else it raises ends `run`, and with it the service.
    """

    def __init__(
        self, bootstraps: BootstrapStore, nodes: NodeStore, platform: Platform, clock: Clock, bell: Bell, patience: Patience
    ) -> None:  # fmt: skip
        self._bootstraps = bootstraps
        self._nodes = nodes
        self._platform = platform
        self._clock = clock
        self._bell = bell
        self._patience = patience
        self._log = structlog.get_logger("bootstrap")

    async def run(self) -> None:
        await once_possible(self._bootstraps.take_up_interrupted)
        turns = asyncio.Semaphore(AT_ONCE)
        async with asyncio.TaskGroup() as group:
            while True:
                await turns.acquire()
                bootstrap = await once_possible(self._bootstraps.claim)
                if bootstrap is None:
                    turns.release()
                    await self._bell.heard(LOOK_EVERY_S)
                    continue
                task = group.create_task(self._perform(bootstrap), name=f"bootstrap of {bootstrap.node_id}")
                task.add_done_callback(lambda _: turns.release())

    async def _perform(self, bootstrap: Bootstrap) -> None:
        credentials = await self._bootstraps.credentials(bootstrap.node_id)
        reason = "The key or the node is gone."
        if credentials is not None:
            reason = await self._reason_against(bootstrap, credentials)
        await once_possible(partial(self._bootstraps.end, bootstrap.node_id, reason or None))
        self._log.info("bootstrap_ended", node_id=bootstrap.node_id, reason=reason)

    async def _reason_against(self, bootstrap: Bootstrap, credentials: Credentials) -> str:
        """Empty when the worker runs."""
        try:
            async with asyncio.timeout(DEADLINE_S):
                await self._install_patiently(bootstrap, credentials)
        except _EXPECTED as error:
            return str(error).replace(credentials.join_token, "***") or "It was not done in time."
        except Exception:  # noqa: BLE001 - the policy above
            self._log.exception("bootstrap_failed", node_id=bootstrap.node_id)
            return "Something went wrong on our side; it has been logged."
        return ""

    async def _install_patiently(self, bootstrap: Bootstrap, credentials: Credentials) -> None:
        machine, attempts, away_since = bootstrap.machine, 0, inf
        while True:
            attempts += 1
            try:
                machine = await self._with_host_key(bootstrap.node_id, machine)
                return await self._install(bootstrap.node_id, machine, credentials)
            except MachineUnreachable as away:
                now = self._clock.monotonic()
                away_since = now if isinstance(away, ConnectionLost) else min(away_since, now)
                if now - away_since >= self._patience.machine_away_s:
                    raise
                await self._bootstraps.tell(bootstrap.node_id, f"{away} Trying again.")
            await asyncio.sleep(retry_in(attempts, self._patience))

    async def _with_host_key(self, node_id: str, machine: Machine) -> Machine:
        """The key that is insisted on from now on, at every further attempt too."""
        host_key = await settle_host_key(machine)
        if host_key.line != machine.host_key:
            await self._bootstraps.pin(node_id, host_key.line, first_seen=host_key.first_seen)
        return replace(machine, host_key=host_key.line)

    async def _install(self, node_id: str, machine: Machine, credentials: Credentials) -> None:
        async def tell(message: str) -> None:
            await self._bootstraps.tell(node_id, message)

        async with session(machine, str(machine.host_key), credentials.private_key) as connected:
            await tell(f"logged in to {machine.host} port {machine.port}")
            began = self._clock.now()
            await install_worker(connected, machine, self._platform, credentials, node_id, tell)
        await self._hear_of(node_id, began)
        await tell("the node is online")

    async def _hear_of(self, node_id: str, since: float) -> None:
        """Until Hoster itself reaches what it has installed: a heartbeat after the join. Raises MachineUnsuitable."""
        try:
            async with asyncio.timeout(HEARD_WITHIN_S):
                while True:
                    node = await self._nodes.get(node_id)
                    if node is None:
                        raise MachineUnsuitable("The node was removed meanwhile.")
                    if node.has_beaten_since(since):
                        return
                    await asyncio.sleep(_LISTEN_EVERY_S)
        except TimeoutError:
            raise MachineUnsuitable("The worker runs, but no heartbeat of it arrives here.") from None
