"""What logs and numbers need of the container engine, and Docker as its means."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp

from worker.errors import ContainerGone, EngineUnavailable
from worker.runtime import labels
from worker.runtime.connection import engine_session
from worker.streams.log_frames import FramedLog, LogDecoder, LogRecord, LogUnreadable, TerminalLog

CALL_DEADLINE_S = 10.0
SILENCE_DEADLINE_S = 30.0
"""Between two pieces of an answer that does not follow a live source."""

_CHANGES = ("create", "start", "die", "destroy")


@dataclass(frozen=True, slots=True)
class ServiceContainer:
    """One container of a project."""

    container_id: str
    service: str
    running: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LogQuery:
    """`tail` lines from the end (None: all), of those not older than `since_ns`; `follow` goes on while the container runs."""

    tail: int | None = None
    since_ns: int = 0
    follow: bool = False


class ContainerSource(Protocol):
    """Every method may raise EngineUnavailable."""

    async def containers(self, project_id: str) -> list[ServiceContainer]:
        """Running and stopped ones."""

    async def count_running(self) -> int:
        """All containers of this agent."""

    def log(self, container_id: str, query: LogQuery) -> AsyncGenerator[list[LogRecord], None]:
        """Records as they arrive, in the log's order. Raises ContainerGone."""

    async def stats(self, container_id: str) -> Mapping[str, Any]:
        """The engine's counters of this moment, in Docker's form. Raises ContainerGone."""

    def changes(self) -> AsyncGenerator[str | None, None]:
        """Ids of projects whose containers changed, from now on; first a None: from here on nothing is missed. Ends with the engine."""


class DockerSource:
    """Must be made on the running loop. `address` is a `DOCKER_HOST` (`unix://...`, `tcp://...`), `instance` our label's value."""

    def __init__(self, address: str, instance: str) -> None:
        self._session, self._base = engine_session(address)
        self._ours = f"{labels.INSTANCE}={instance}"

    async def close(self) -> None:
        await self._session.close()

    async def containers(self, project_id: str) -> list[ServiceContainer]:
        wanted = json.dumps({"label": [self._ours, f"{labels.PROJECT}={project_id}"]})
        listed = await self._json("containers/json", {"all": "1", "filters": wanted})
        return [
            ServiceContainer(
                found["Id"], found["Labels"].get(labels.SERVICE, ""), found["State"] == "running"
            )
            for found in listed
        ]

    async def count_running(self) -> int:
        return len(await self._json("containers/json", {"filters": json.dumps({"label": [self._ours]})}))

    async def log(self, container_id: str, query: LogQuery) -> AsyncGenerator[list[LogRecord], None]:
        decoder = await self._decoder(container_id)
        parameters = {"stdout": "1", "stderr": "1", "timestamps": "1", "follow": "1" if query.follow else "0"}
        if query.tail is not None:
            parameters["tail"] = str(query.tail)
        if query.since_ns > 0:
            parameters["since"] = f"{query.since_ns // 1_000_000_000}.{query.since_ns % 1_000_000_000:09d}"
        path = f"containers/{container_id}/logs"
        async with self._get(path, parameters, None if query.follow else SILENCE_DEADLINE_S) as response:
            async for octets in response.content.iter_any():
                if records := decoder.feed(octets):
                    yield records
            if records := decoder.close():
                yield records

    async def stats(self, container_id: str) -> Mapping[str, Any]:
        # `one-shot` (API 1.41) answers at once, without the second that the engine would wait for a sample to compare with.
        found = await self._json(f"containers/{container_id}/stats", {"stream": "false", "one-shot": "true"})
        return found if isinstance(found, dict) else {}

    async def changes(self) -> AsyncGenerator[str | None, None]:
        wanted = json.dumps({"type": ["container"], "event": list(_CHANGES), "label": [self._ours]})
        async with self._get("events", {"filters": wanted}, None) as response:
            yield None
            async for line in response.content:
                yield json.loads(line)["Actor"]["Attributes"].get(labels.PROJECT)

    async def _decoder(self, container_id: str) -> LogDecoder:
        found = await self._json(f"containers/{container_id}/json", {})
        return TerminalLog() if found["Config"]["Tty"] else FramedLog()

    async def _json(self, path: str, parameters: Mapping[str, str]) -> Any:  # noqa: ANN401 - JSON
        async with self._get(path, parameters, CALL_DEADLINE_S) as response, asyncio.timeout(CALL_DEADLINE_S):
            return await response.json()

    @asynccontextmanager
    async def _get(
        self, path: str, parameters: Mapping[str, str], silence_s: float | None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        limits = aiohttp.ClientTimeout(total=None, sock_connect=CALL_DEADLINE_S, sock_read=silence_s)
        # The path is without a version: that is the engine's newest, and all that is used here is the same in all of them.
        try:
            async with self._session.get(
                f"{self._base}/{path}", params=parameters, timeout=limits
            ) as response:
                # 409: it is being removed (Docker 20.10: "dead or marked for removal"), and its log with it.
                if response.status in {404, 409}:
                    raise ContainerGone(path)
                if response.status != 200:
                    raise EngineUnavailable(f"{path}: status {response.status}")
                yield response
        except (aiohttp.ClientError, OSError, ValueError, LogUnreadable) as error:
            # OSError includes TimeoutError; ValueError is an answer that is not JSON.
            raise EngineUnavailable(f"{path}: {error!r}") from error
