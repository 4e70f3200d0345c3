"""The engine's API by path, for what aiodocker's typed methods do not have: limits, streams that end, and refusals that pass."""

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import aiodocker
import aiohttp

from worker.runtime.engine import EngineRefused
from worker.runtime.engine_failures import in_time
from worker.runtime.engine_moments import is_gone, until_it_passes, update_passes

CALL_DEADLINE_S = 15.0
CREATE_DEADLINE_S = 60.0


class EngineApi:
    def __init__(self, docker: aiodocker.Docker) -> None:
        self._docker = docker

    def stream(
        self,
        path: str,
        method: str = "GET",
        *,
        params: Mapping[str, str],
        data: AsyncIterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """For as long as it takes. Raises what aiodocker raises: to be read within `in_time`."""
        endless = aiohttp.ClientTimeout(sock_connect=CALL_DEADLINE_S)
        return self._docker._query(  # noqa: SLF001 - it has no public equivalent
            path, method, params=params, data=data, headers=headers, timeout=endless
        )

    async def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
        deadline_s: float = CALL_DEADLINE_S,
    ) -> Any:  # noqa: ANN401 - JSON
        data = None if body is None else json.dumps(body)
        query = self._docker._query(path, method, params=params, data=data)  # noqa: SLF001 - see above
        async with in_time(deadline_s), query as response:
            text = await response.read()
        return json.loads(text) if text else None

    async def update(self, container_id: str, change: Mapping[str, object]) -> None:
        async def update() -> None:
            await self.call("POST", f"containers/{container_id}/update", body=change)

        await until_it_passes(update, update_passes)

    async def remove(
        self,
        path: str,
        passes: Callable[[EngineRefused], bool],
        again_s: Sequence[float],
        params: Mapping[str, str] | None = None,
    ) -> None:
        """What is gone is no error."""

        async def remove() -> None:
            await self.call("DELETE", path, params=params, deadline_s=CREATE_DEADLINE_S)

        try:
            async with in_time(CREATE_DEADLINE_S):
                await until_it_passes(remove, passes, again_s)
        except EngineRefused as refusal:
            if not is_gone(refusal):
                raise
