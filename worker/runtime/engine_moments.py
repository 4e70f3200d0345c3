"""What Docker refuses in passing, and for how long it is asked again; what it goes on refusing is raised in its own words.

Facts (Docker 20.10):
- While a container starts or ends, an update of it is answered 500 ("cannot update a stopped container"), also for some moments in which it
  is still shown as running.
- While a container is removed, it is listed, first as running and then as `removing`. Another removal of it is answered 409 ("is already in
  progress"), its log 409 ("dead or marked for removal"), a start 409 and an update 500 ("marked for removal"). Until it has gone, its name (409,
  "is already in use by container"), its networks (403, "has active endpoints") and its volumes (409, "volume is in use") are taken; the name
  still is for a moment after it is known no more.
- A removal that fails leaves the container `dead`: it can only be removed again.
- An engine that is told to end first ends its containers, for ten seconds or more, and answers meanwhile. The step of a build that it ends so is
  a failed step ("returned a non-zero code: 137", or 143), and a start at its very end is answered 500 (`_LEAVING`).
- A removal goes on when whoever asked for it has gone, and so do a creation and a start.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from worker.runtime.engine import BuildFailed, EngineRefused

AGAIN_S = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0)
"""How long after each refusal it is asked again."""
REMOVE_AGAIN_S = (*AGAIN_S, 4.0, 4.0, 4.0, 4.0)
"""Somebody's removal may be of very many files."""
NETWORK_AGAIN_S = AGAIN_S[:5]
"""Only the containers of a build may be going while nobody waits for them: others on the network stay."""

LEAVING_S = 5.0
"""How long an engine is watched after it ended the step of a build: most builds whose step was killed did that themselves."""
_LEAVING = ("transport is closing: unavailable", ": open : no such file or directory")
_KILLED = re.compile(r"returned a non-zero code: (137|143)$")

_T = TypeVar("_T")


async def until_it_passes(
    call: Callable[[], Awaitable[_T]],
    passes: Callable[[EngineRefused], bool],
    again_s: Sequence[float] = AGAIN_S,
) -> _T:
    """Raises EngineRefused: at once what does not pass, else the last one."""
    for pause_s in again_s:
        try:
            return await call()
        except EngineRefused as refusal:
            if not passes(refusal):
                raise
        await asyncio.sleep(pause_s)
    return await call()


async def ends_soon(ping: Callable[[], Awaitable[None]]) -> None:
    """Raises EngineUnavailable if it does."""
    for _turn in range(round(LEAVING_S / 0.5)):
        await ping()
        await asyncio.sleep(0.5)


def is_killed(failure: BuildFailed) -> bool:
    return _KILLED.search(str(failure)) is not None


def is_leaving(status: int, message: str) -> bool:
    return status == 500 and any(words in message for words in _LEAVING)


def is_gone(refusal: EngineRefused) -> bool:
    return refusal.status == 404


def is_going(refusal: EngineRefused) -> bool:
    """The container is about to be gone, or dead."""
    return "marked for removal" in str(refusal)


def update_passes(refusal: EngineRefused) -> bool:
    return refusal.status == 500 and not is_going(refusal)


def removal_passes(refusal: EngineRefused) -> bool:
    """500: its process or its files could not be got rid of just then."""
    return refusal.status in {409, 500}


def name_passes(refusal: EngineRefused) -> bool:
    return refusal.status == 409 and "is already in use by container" in str(refusal)


def volume_passes(refusal: EngineRefused) -> bool:
    return refusal.status == 409 and "volume is in use" in str(refusal)


def endpoints_pass(refusal: EngineRefused) -> bool:
    return "has active endpoints" in str(refusal)
