"""Signed commands to workers over one connection pool, each with a deadline."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from yarl import URL

from hoster.nodes.model import Worker
from shared import signature, sse
from shared.clock import Clock
from shared.problem import FieldFault
from shared.signature import Command

COMMAND_DEADLINE_S = 15.0
CONNECT_DEADLINE_S = 3.0
STREAM_SILENCE_S = 45.0
ANSWER_MOST_BYTES = 8 * 1024 * 1024
REASON_MOST = 1000


class NodeUnreachable(Exception):
    """The worker could not be reached, or did not answer in time, or something else did: whether the command was carried out is not known."""


class WorkerRefused(Exception):
    """The worker answered with an error. `detail` is for the operator and the owner of the deployment; `faults` are of the question."""

    def __init__(self, status: int, code: str, detail: str, faults: Sequence[FieldFault] = ()) -> None:
        named = "; ".join(f"{fault.field} {fault.message}" for fault in faults) or detail
        super().__init__(named[:REASON_MOST] or code)
        self.faults = faults
        self.status = status
        self.code = code
        self.detail = detail

    @property
    def is_permanent(self) -> bool:
        """Whether asking again would be answered in the same way. 401: a worker that has just joined may not have stored its secret yet."""
        return 400 <= self.status < 500 and self.status not in {401, 408, 425, 429}

    @property
    def is_forgotten(self) -> bool:
        """The worker does not know what the command was about: it was never told of it, or has lost it."""
        return self.status == 404


class NotTheWorker(Exception):
    """What was answered is nothing that a worker says; a proxy before it, perhaps, which does not reach it either."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    members: Mapping[str, object]

    def text(self, member: str) -> str:
        """Raises NotTheWorker when it is missing."""
        found = self.members.get(member)
        if not isinstance(found, str):
            raise NotTheWorker(f"an answer without {member}")
        return found


class WorkerClient:
    def __init__(self, session: aiohttp.ClientSession, clock: Clock, new_nonce: Callable[[], str]) -> None:
        self._session = session
        self._clock = clock
        self._new_nonce = new_nonce

    async def command(
        self,
        worker: Worker,
        method: str,
        target: str,
        body: Mapping[str, object] | None = None,
        *,
        deadline_s: float = COMMAND_DEADLINE_S,
    ) -> Answer:
        """`target` is path and query as they go on the wire. Raises NodeUnreachable or WorkerRefused."""
        payload = b"" if body is None else json.dumps(body).encode()
        timeout = aiohttp.ClientTimeout(total=deadline_s, sock_connect=CONNECT_DEADLINE_S)
        try:
            async with self._ask(worker, Command(method, target, payload), {}, timeout) as response:
                return await _answer(response)
        except (aiohttp.ClientError, NotTheWorker, TimeoutError, OSError) as error:
            raise _unreachable(worker, error) from error

    @asynccontextmanager
    async def stream(
        self, worker: Worker, target: str, headers: Mapping[str, str]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A 200 response whose body is still coming. Raises NodeUnreachable or WorkerRefused before the block; inside it, reading
        raises aiohttp.ClientError or TimeoutError when the worker is silent for longer than its keep-alive.
        """
        timeout = aiohttp.ClientTimeout(sock_connect=CONNECT_DEADLINE_S, sock_read=STREAM_SILENCE_S)
        exchange = self._ask(worker, Command("GET", target, b""), headers, timeout)
        try:
            async with asyncio.timeout(COMMAND_DEADLINE_S):
                response = await exchange
                await _check_streams(response)
        except (aiohttp.ClientError, NotTheWorker, TimeoutError, OSError) as error:
            raise _unreachable(worker, error) from error
        try:
            yield response
        finally:
            response.close()  # a stream has no end to wait for

    def _ask(
        self, worker: Worker, command: Command, headers: Mapping[str, str], timeout: aiohttp.ClientTimeout
    ) -> "aiohttp.client._RequestContextManager":
        signed = signature.sign(worker.secret, command, int(self._clock.now()), self._new_nonce())
        content = {"Content-Type": "application/json"} if command.body else {}
        return self._session.request(
            command.method,
            URL(worker.address + command.path_and_query, encoded=True),
            data=command.body or None,
            headers={**headers, **content, signature.HEADER: signed},
            timeout=timeout,
            allow_redirects=False,
        )


async def _answer(response: aiohttp.ClientResponse) -> Answer:
    if response.status >= 300:
        await _refuse(response)
    raw = await _read(response)
    return Answer(response.status, _members(raw) if raw else {})


async def _check_streams(response: aiohttp.ClientResponse) -> None:
    """Raises WorkerRefused or NotTheWorker."""
    if response.status != 200:
        async with response:
            await _refuse(response)
    if response.content_type != sse.CONTENT_TYPE:
        response.close()
        raise NotTheWorker(response.content_type)


async def _refuse(response: aiohttp.ClientResponse) -> None:
    members = _members(await _read(response))
    code, detail = members.get("code"), members.get("detail")
    if not isinstance(code, str):
        raise NotTheWorker(f"{response.status} without a reason")
    raise WorkerRefused(
        response.status,
        code,
        detail if isinstance(detail, str) else "",
        list(_faults(members.get("errors"))),
    )


def _faults(errors: object) -> Iterator[FieldFault]:
    for error in errors if isinstance(errors, list) else []:
        if isinstance(error, dict) and isinstance(error.get("field"), str):
            yield FieldFault(error["field"], str(error.get("message")))


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """A worker is trusted with its own deployments, not with this process's memory."""
    pieces = bytearray()
    async for piece in response.content.iter_chunked(65_536):
        pieces += piece
        if len(pieces) > ANSWER_MOST_BYTES:
            raise aiohttp.ClientPayloadError("the worker's answer is too large")
    return bytes(pieces)


def _members(raw: bytes) -> Mapping[str, object]:
    """Raises NotTheWorker: whatever a worker says, if it says more than a status, is a JSON object."""
    try:
        members = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise NotTheWorker("no JSON") from error
    if not isinstance(members, dict):
        raise NotTheWorker("no JSON object")
    return members


def _unreachable(worker: Worker, error: Exception) -> NodeUnreachable:
    why = type(error).__name__
    if isinstance(error, TimeoutError):
        why = "it did not answer in time"
    elif isinstance(error, NotTheWorker):
        why = f"what answers there is not its worker ({error})"
    return NodeUnreachable(f"Node {worker.node_id} cannot be reached: {why}.")
