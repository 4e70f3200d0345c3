"""Carrying a worker's event streams to a reader: one byte for byte, or several as one.

Rules:
- A reader that has gone ends the requests to the worker within a second, also when no event comes.
- A deployment that its node does not know yet gets a stream that waits for it, so that the page can be open before the app is.
  It then begins with the project's first event: all of them happened while the reader was waiting.
- Several streams as one end with the first of them: the reader comes back with the place of each.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import aiohttp
import structlog
from aiohttp import web

from hoster.bodies import BodyInvalid
from hoster.deployments.model import Deployment
from hoster.deployments.store import DeploymentStore
from hoster.deployments.transitions import State
from hoster.monitoring.questions import cannot_answer
from hoster.monitoring.together import EventTooLong
from hoster.nodes.model import Worker
from hoster.nodes.worker_client import NodeUnreachable, WorkerClient, WorkerRefused
from shared import sse

LOOK_FOR_READER_S = 0.25
LOOK_FOR_PROJECT_S = 1.0

_COMING = frozenset({State.PENDING, State.SCHEDULED, State.STARTING})
_log = structlog.get_logger("streams")


class StreamUnavailable(Exception):
    """There is nothing to stream: the deployment is on no node, and is not about to be."""


def unchanged(piece: bytes) -> bytes:
    return piece


@dataclass(frozen=True, slots=True)
class StreamQuestion:
    """`target` is path and query on the worker, `from_first` the same from the project's beginning; `headers` carries
    `Last-Event-ID` when the reader sent one; what the worker sends goes `through` on its way.
    """

    deployment: Deployment
    target: str
    headers: Mapping[str, str]
    through: Callable[[bytes], bytes] = unchanged
    from_first: str | None = None

    def of_new_project(self) -> Self:
        return self if self.from_first is None else replace(self, target=self.from_first)


class Reader:
    """Whoever reads; the response begins when there is one. Several may write."""

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self._turn = asyncio.Lock()
        self.response = web.StreamResponse(headers=sse.HEADERS)

    @property
    def has_begun(self) -> bool:
        return self.response.prepared

    @property
    def has_gone(self) -> bool:
        transport = self._request.transport
        return transport is None or transport.is_closing()

    async def begin(self) -> None:
        async with self._turn:
            if not self.response.prepared:
                await self.response.prepare(self._request)

    async def write(self, octets: bytes) -> None:
        async with self._turn:
            await self.response.write(octets)


class StreamCarrier:
    def __init__(self, client: WorkerClient, deployments: DeploymentStore, leaving: asyncio.Event) -> None:
        self._client = client
        self._deployments = deployments
        self._leaving = leaving

    async def carry(
        self, request: web.Request, worker: Worker, questions: Sequence[StreamQuestion]
    ) -> web.StreamResponse:
        """Raises BodyInvalid, NodeUnreachable or StreamUnavailable before the response has begun."""
        reader = Reader(request)
        refusal: Exception | None = None
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._copy(reader, worker, question), name="stream copy")
                    for question in questions
                ]
                tasks.append(group.create_task(self._watch(reader), name="stream reader watch"))
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in tasks:
                    task.cancel()
        except* (BodyInvalid, NodeUnreachable, StreamUnavailable) as refusals:
            refusal = refusals.exceptions[0]
        # Not in there: early releases of Python 3.11 put what is raised there into a group again.
        if refusal is not None and not reader.has_begun:
            raise refusal
        return reader.response

    async def _watch(self, reader: Reader) -> None:
        """Ends when the reader's connection has, or the service is about to."""
        while not self._leaving.is_set():
            if reader.has_gone:
                return
            await asyncio.sleep(LOOK_FOR_READER_S)

    async def _copy(self, reader: Reader, worker: Worker, question: StreamQuestion) -> None:
        """Failure policy: a worker that breaks off mid-stream ends the reader's stream; the reader comes back with the id of the
        last event it has seen.
        """
        try:
            while not await self._copy_once(reader, worker, question):
                await self._check_that_it_comes(question.deployment)
                question = question.of_new_project()
                if not reader.has_begun:
                    await reader.begin()
                    await reader.write(sse.RETRY)
                await reader.write(sse.KEEPALIVE)
                await asyncio.sleep(LOOK_FOR_PROJECT_S)
        except ConnectionError:
            return  # the reader has gone
        except (
            BodyInvalid,
            NodeUnreachable,
            StreamUnavailable,
            EventTooLong,
            aiohttp.ClientError,
            TimeoutError,
        ) as broken:
            if not reader.has_begun:
                raise
            _log.info("stream_broke_off", deployment_id=question.deployment.id, reason=str(broken))

    async def _check_that_it_comes(self, deployment: Deployment) -> None:
        if await self._deployments.state(deployment.id) not in _COMING:
            raise StreamUnavailable

    async def _copy_once(self, reader: Reader, worker: Worker, question: StreamQuestion) -> bool:
        """False when the worker does not know the project."""
        try:
            async with self._client.stream(worker, question.target, question.headers) as upstream:
                await reader.begin()
                async for piece in upstream.content.iter_any():
                    octets = question.through(piece)
                    if octets:
                        await reader.write(octets)
        except WorkerRefused as refused:
            if refused.status == 404:
                return False
            raise cannot_answer(worker, refused) from refused
        return True


STREAM_CARRIER = web.AppKey("stream_carrier", StreamCarrier)
