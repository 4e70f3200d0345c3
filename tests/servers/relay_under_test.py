"""A relay in front of an origin with a director that keeps its books, and a client that sends bytes."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from shared.clock import SystemClock
from shared.ids import request_ids
from shared.relay.director import (
    Decision,
    Exchange,
    FaultKind,
    Field,
    Forward,
    OngoingAnswer,
    Outcome,
    RequestHead,
    Respond,
    ResponseHead,
    Target,
    UpstreamSpec,
)
from shared.relay.limits import Limits
from shared.relay.server import Relay


@dataclass
class RecordedExchange:
    outcomes: list[Outcome] = field(default_factory=list)
    when_finished: Callable[[Outcome], None] = lambda _: None
    ongoing: list[OngoingAnswer] = field(default_factory=list)

    def response_fields(self, head: ResponseHead) -> Sequence[Field]:
        return head.fields

    def fault_fields(self) -> Sequence[Field]:
        return [(b"X-Fault", b"yes")]

    def goes_on(self, answer: OngoingAnswer) -> None:
        self.ongoing.append(answer)

    def finished(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        self.when_finished(outcome)


@dataclass
class ForwardEverything:
    """A director that forwards all to one upstream and keeps the books; `decide` replaces its decision."""

    upstream: UpstreamSpec
    max_body: int | None = None
    decide: Callable[[RequestHead, Forward], Decision | Awaitable[Decision]] = lambda _, forward: forward
    heads: list[RequestHead] = field(default_factory=list)
    exchanges: list[RecordedExchange] = field(default_factory=list)
    faults: list[FaultKind] = field(default_factory=list)
    when_finished: Callable[[Outcome], None] = lambda _: None

    def direct(self, head: RequestHead) -> Decision | Awaitable[Decision]:
        self.heads.append(head)
        exchange: RecordedExchange = RecordedExchange(when_finished=self.when_finished)
        self.exchanges.append(exchange)
        seam: Exchange = exchange
        forward = Forward(self.upstream, head.target, head.host, head.fields, seam, self.max_body)
        return self.decide(head, forward)

    def fault(self, kind: FaultKind, status: int, detail: str, request_id: str) -> Respond:
        self.faults.append(kind)
        return Respond(status, [(b"Content-Type", b"text/plain")], f"{kind}: {detail}".encode())

    @property
    def outcomes(self) -> list[Outcome]:
        return [outcome for exchange in self.exchanges for outcome in exchange.outcomes]


class RawClient:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        """Leaves for good: unlike closing, this cannot be taken for the end of one half."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def head(self) -> bytes:
        return await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 10)

    async def response(self) -> tuple[int, bytes, bytes]:
        """Status, head and body of a response with a length or in chunks."""
        head = await self.head()
        body = b""
        lowered = head.lower()
        if b"transfer-encoding: chunked" in lowered:
            while size := int((await self.reader.readuntil(b"\r\n")).strip(), 16):
                body += (await self.reader.readexactly(size + 2))[:-2]
            await self.reader.readexactly(2)
        elif b"content-length: " in lowered:
            body = await self.reader.readexactly(int(lowered.split(b"content-length: ")[1].split(b"\r\n")[0]))
        return int(head.split(b" ")[1]), head, body

    async def rest(self) -> bytes:
        """Everything up to the end of the connection."""
        return await asyncio.wait_for(self.reader.read(), 10)

    async def is_closed(self) -> bool:
        try:
            return await self.rest() == b""
        except ConnectionError:
            return True


@dataclass
class RelayUnderTest:
    relay: Relay
    director: ForwardEverything
    port: int

    @asynccontextmanager
    async def client(self) -> AsyncIterator[RawClient]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 20)
        try:
            yield RawClient(reader, writer)
        finally:
            writer.close()

    async def exchange(self, request: bytes) -> tuple[int, bytes, bytes]:
        async with self.client() as client:
            await client.send(request)
            return await client.response()


Start = Callable[..., Awaitable[RelayUnderTest]]


def loopback_listener() -> socket.socket:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    return listener


async def start_relay_under_test(
    *origin_ports: int, limits: Limits | None = None, spec: UpstreamSpec | None = None, **director: object
) -> RelayUnderTest:
    """A relay before `origin_ports` on loopback, with any `UpstreamSpec` timeouts, `Limits` and director settings."""
    targets = tuple(Target("127.0.0.1", port) for port in origin_ports)
    spec = spec or UpstreamSpec(name="origin", targets=targets)
    spec = replace(spec, targets=targets) if targets else spec
    forwarder = ForwardEverything(spec, **director)  # type: ignore[arg-type]  # settings as the test names them
    clock = SystemClock()
    relay = Relay(forwarder, limits=limits, clock=clock, new_request_id=request_ids(clock))
    listener = loopback_listener()
    await relay.serve(listener)
    return RelayUnderTest(relay, forwarder, listener.getsockname()[1])


@asynccontextmanager
async def served_relay(*origin_ports: int, limits: Limits | None = None) -> AsyncIterator[RelayUnderTest]:
    under_test = await start_relay_under_test(*origin_ports, limits=limits)
    try:
        yield under_test
    finally:
        await under_test.relay.close()


async def until(condition: Callable[[], object]) -> None:
    """For what has no event to wait for; the test's own time limit ends it."""
    while not condition():
        await asyncio.sleep(0.01)
