"""Carrying a worker's event stream to a reader, byte for byte.

Rules:
- A reader that has gone ends the request to the worker within a second, also when no event comes.
- A deployment that its node does not know yet gets a stream that waits for it, so that the page can be open before the app is.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
import structlog
from aiohttp import web

from hoster.bodies import BodyInvalid
from hoster.deployments.model import Deployment
from hoster.deployments.store import DeploymentStore
from hoster.deployments.transitions import State
from hoster.monitoring.questions import cannot_answer
from hoster.nodes.model import Worker
from hoster.nodes.worker_client import NodeUnreachable, WorkerClient, WorkerRefused
from shared import sse

LOOK_FOR_READER_S = 0.25
LOOK_FOR_PROJECT_S = 1.0

_COMING = frozenset({State.PENDING, State.SCHEDULED, State.STARTING})
_log = structlog.get_logger("streams")


class StreamUnavailable(Exception):
    """There is nothing to stream: the deployment is on no node, and is not about to be."""


@dataclass(frozen=True, slots=True)
class StreamQuestion:
    """`target` is path and query on the worker; `headers` carries `Last-Event-ID` when the reader sent one."""

    deployment: Deployment
    target: str
    headers: Mapping[str, str]


class StreamCarrier:
    def __init__(self, client: WorkerClient, deployments: DeploymentStore, leaving: asyncio.Event) -> None:
        self._client = client
        self._deployments = deployments
        self._leaving = leaving

    async def carry(
        self, request: web.Request, worker: Worker, question: StreamQuestion
    ) -> web.StreamResponse:
        """Raises BodyInvalid, NodeUnreachable or StreamUnavailable before the response has begun."""
        response = web.StreamResponse(headers=sse.HEADERS)
        try:
            async with asyncio.TaskGroup() as group:
                copying = group.create_task(
                    self._copy(request, response, worker, question), name="stream copy"
                )
                watching = group.create_task(self._watch(request), name="stream reader watch")
                await asyncio.wait({copying, watching}, return_when=asyncio.FIRST_COMPLETED)
                copying.cancel()
                watching.cancel()
        except* (BodyInvalid, NodeUnreachable, StreamUnavailable) as refusals:
            raise refusals.exceptions[0] from None
        return response

    async def _watch(self, request: web.Request) -> None:
        """Ends when the reader's connection has, or the service is about to."""
        while not self._leaving.is_set():
            transport = request.transport
            if transport is None or transport.is_closing():
                return
            await asyncio.sleep(LOOK_FOR_READER_S)

    async def _copy(
        self, request: web.Request, response: web.StreamResponse, worker: Worker, question: StreamQuestion
    ) -> None:
        """Failure policy: a worker that breaks off mid-stream ends the reader's stream; the reader comes back with the id of the
        last event it has seen.
        """
        try:
            while not await self._copy_once(request, response, worker, question):
                await self._check_that_it_comes(question.deployment)
                if not response.prepared:
                    await response.prepare(request)
                    await response.write(sse.RETRY)
                await response.write(sse.KEEPALIVE)
                await asyncio.sleep(LOOK_FOR_PROJECT_S)
        except ConnectionError:
            return  # the reader has gone
        except (BodyInvalid, NodeUnreachable, StreamUnavailable, aiohttp.ClientError, TimeoutError) as broken:
            if not response.prepared:
                raise
            _log.info("stream_broke_off", deployment_id=question.deployment.id, reason=str(broken))

    async def _check_that_it_comes(self, deployment: Deployment) -> None:
        if await self._deployments.state(deployment.id) not in _COMING:
            raise StreamUnavailable

    async def _copy_once(
        self, request: web.Request, response: web.StreamResponse, worker: Worker, question: StreamQuestion
    ) -> bool:
        """False when the worker does not know the project."""
        try:
            async with self._client.stream(worker, question.target, question.headers) as upstream:
                if not response.prepared:
                    await response.prepare(request)
                async for piece in upstream.content.iter_any():
                    await response.write(piece)
        except WorkerRefused as refused:
            if refused.status == 404:
                return False
            raise cannot_answer(worker, refused) from refused
        return True


STREAM_CARRIER = web.AppKey("stream_carrier", StreamCarrier)
