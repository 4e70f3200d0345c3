"""Waiting until a deployment is in a state, for clients that would otherwise poll."""

import asyncio
from enum import StrEnum

from hoster.deployments.store import DeploymentStore
from hoster.deployments.transitions import State, may_still_reach

LOOK_EVERY_S = 0.25


class WaitEnded(StrEnum):
    REACHED = "reached"
    NOT_YET = "not_yet"
    IMPOSSIBLE = "impossible"


async def wait_for(
    deployments: DeploymentStore, deployment_id: str, target: State, timeout: float, leaving: asyncio.Event
) -> WaitEnded:
    """Ends early, as not yet, when the service is `leaving`."""
    try:
        async with asyncio.timeout(timeout):
            while not leaving.is_set():
                state = await deployments.state(deployment_id)
                if state is target:
                    return WaitEnded.REACHED
                if not may_still_reach(state, target):
                    return WaitEnded.IMPOSSIBLE
                await asyncio.sleep(LOOK_EVERY_S)
    except TimeoutError:
        pass
    return WaitEnded.NOT_YET
