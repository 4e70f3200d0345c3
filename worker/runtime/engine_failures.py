"""What aiodocker raises, and what takes too long, as the errors of `worker.runtime.engine`."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import TypeVar

import aiodocker
import aiohttp

from worker.errors import EngineUnavailable
from worker.runtime.engine import EngineRefused
from worker.runtime.engine_moments import is_leaving

_UNREACHABLE = 900

_T = TypeVar("_T")


@asynccontextmanager
async def in_time(seconds: float | None) -> AsyncIterator[asyncio.Timeout]:
    """None: for as long as it takes. Raises EngineUnavailable, EngineRefused."""
    try:
        async with asyncio.timeout(seconds) as limit:
            yield limit
    except TimeoutError as error:
        raise EngineUnavailable(f"no answer within {seconds or 0:.0f} s") from error
    except aiodocker.DockerError as error:
        if error.status == _UNREACHABLE or is_leaving(error.status, error.message):
            raise EngineUnavailable(error.message) from error
        raise EngineRefused(error.status, error.message) from error
    except aiohttp.InvalidURL as error:
        # A name that leads out of its place in the engine's paths.
        raise EngineRefused(400, "the engine has no such path") from error
    except (aiohttp.ClientError, OSError) as error:
        raise EngineUnavailable(f"the connection to the engine broke: {error}") from error
    except ValueError as error:
        raise EngineUnavailable(f"the answer of the engine is not JSON: {error}") from error


async def or_none(call: Awaitable[_T]) -> _T | None:
    """None for what the engine does not know (404)."""
    try:
        return await call
    except aiodocker.DockerError as error:
        if error.status == 404:
            return None
        raise
