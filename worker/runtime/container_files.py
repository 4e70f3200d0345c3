"""The file system of a container through the engine's archive routes: nothing runs inside the container."""

import base64
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from worker.errors import ContainerGone, EngineUnavailable
from worker.runtime.connection import engine_session

CALL_DEADLINE_S = 10.0

_STAT = "X-Docker-Container-Path-Stat"
_GO_DIRECTORY = 1 << 31
_GO_LINK = 1 << 27
_LOOP = "too many links"


@dataclass(frozen=True, slots=True)
class PathSeen:
    """What a path is; its last name is not followed."""

    is_dir: bool
    is_link: bool


class ContainerFiles:
    """Must be made on the running loop. Every method may raise EngineUnavailable."""

    def __init__(self, address: str) -> None:
        self._session, self._base = engine_session(address)

    async def close(self) -> None:
        await self._session.close()

    async def seen(self, container_id: str, path: str) -> PathSeen | None:
        """None when there is no such path (or container)."""
        async with self._ask("HEAD", container_id, path) as response:
            if response.status == 404:
                return None
            if response.status == 500 and await self._is_loop(container_id, path):
                return PathSeen(is_dir=False, is_link=True)
            _require_ok(response)
            mode = json.loads(base64.b64decode(response.headers[_STAT]))["mode"]
            return PathSeen(is_dir=bool(mode & _GO_DIRECTORY), is_link=bool(mode & _GO_LINK))

    async def tar(self, container_id: str, path: str) -> AsyncGenerator[bytes, None]:
        """The whole of `path`. Closing it early ends the engine's work. Raises ContainerGone."""
        async with self._ask("GET", container_id, path) as response:
            if response.status == 404:
                raise ContainerGone(f"{path} is gone")
            _require_ok(response)
            try:
                async for octets in response.content.iter_any():
                    yield octets
            finally:
                response.close()

    async def _is_loop(self, container_id: str, path: str) -> bool:
        """The engine looks where a link leads, and fails on one that leads to itself; an answer to HEAD cannot say so."""
        async with self._ask("GET", container_id, path) as response:
            return response.status == 500 and _LOOP in await response.text()

    @asynccontextmanager
    async def _ask(self, method: str, container_id: str, path: str) -> AsyncIterator[aiohttp.ClientResponse]:
        limits = aiohttp.ClientTimeout(total=None, sock_connect=CALL_DEADLINE_S, sock_read=CALL_DEADLINE_S)
        query: Mapping[str, str] = {"path": path}
        url = f"{self._base}/containers/{container_id}/archive"
        try:
            async with self._session.request(method, url, params=query, timeout=limits) as response:
                yield response
        except (aiohttp.ClientError, OSError) as error:
            # OSError includes TimeoutError.
            raise EngineUnavailable(f"archive: {error!r}") from error


def _require_ok(response: aiohttp.ClientResponse) -> None:
    if response.status != 200:
        raise EngineUnavailable(f"archive: status {response.status}")
