"""One connection to Redis: commands of one turn of the loop leave in one write, replies come back in order.

A call that missed its deadline keeps its place in the line; only its caller has stopped waiting.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import hiredis
from typing_extensions import override

from gateway.counters.circuit import CircuitEvent
from gateway.errors import CountersUnavailable

_SILENCE_S = 2.0

Argument = str | bytes | int
OnReply = Callable[[object], None]
"""Gets the reply, or the exception that stands for it."""

Tell = Callable[[CircuitEvent], None]


@dataclass(slots=True)
class _Call:
    on_reply: OnReply | None
    due: float
    instead: bytes | None
    """The command to send when Redis does not know the script (it was restarted, or its scripts were flushed)."""


class RedisConnection(asyncio.Protocol):
    """`tell` hears of answers that came in time, and of each deadline that passed: at most one miss for every `deadline_s`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, deadline_s: float, tell: Tell) -> None:
        self._loop = loop
        self._tell = tell
        self._deadline_s = deadline_s
        self._reader = hiredis.Reader()
        self._line: deque[_Call] = deque()
        self._outgoing: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._heard_at = loop.time()
        self._missed_at = float("-inf")
        self.closed: asyncio.Future[None] = loop.create_future()

    @property
    def is_stalled(self) -> bool:
        """Whether the oldest call has been without its reply for longer than the deadline."""
        return bool(self._line) and self._line[0].due <= self._loop.time()

    @property
    def is_waiting(self) -> bool:
        return bool(self._line)

    def call(self, command: bytes, on_reply: OnReply, instead: bytes | None = None) -> None:
        due = self._loop.time() + self._deadline_s
        self._line.append(_Call(on_reply, due, instead))
        if not self._outgoing:
            self._loop.call_soon(self.flush)
        self._outgoing.append(command)
        if self._timer is None:
            self._timer = self._loop.call_at(due, self._overdue)

    def ask(self, *command: Argument) -> asyncio.Future[object]:
        future: asyncio.Future[object] = self._loop.create_future()
        self.call(packed(*command), lambda reply: _settle(future, reply))
        return future

    def begin(self, deadline_s: float) -> None:
        """The first questions are answered; from now on calls have this deadline."""
        self._deadline_s = deadline_s
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do not derive from asyncio's classes, so this cannot be checked by isinstance.
        self._transport = cast(asyncio.Transport, transport)

    @override
    def data_received(self, data: bytes) -> None:
        self._heard_at = self._loop.time()
        self._reader.feed(data)
        try:
            while (reply := self._reader.gets()) is not False:
                self._answer(self._line.popleft(), reply)
        except (hiredis.ProtocolError, IndexError):
            self.abort()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        while self._line:
            self._fail(self._line.popleft())
        if not self.closed.done():
            self.closed.set_result(None)

    def flush(self) -> None:
        data = b"".join(self._outgoing)
        self._outgoing.clear()
        if data and self._transport is not None:
            self._transport.write(data)

    def _answer(self, call: _Call, reply: object) -> None:
        if call.on_reply is None:
            return
        self._tell(CircuitEvent.ANSWERED)
        if (
            call.instead is not None
            and isinstance(reply, hiredis.ReplyError)
            and str(reply).startswith("NOSCRIPT")
        ):
            self.call(call.instead, call.on_reply)
        else:
            call.on_reply(reply)

    def _overdue(self) -> None:
        self._timer = None
        now = self._loop.time()
        for call in self._line:
            if call.due > now:
                self._timer = self._loop.call_at(call.due, self._overdue)
                break
            self._fail(call)
        if self._line and self._timer is None:
            self._timer = self._loop.call_at(now + self._deadline_s, self._overdue)
        if self.is_stalled and now - self._missed_at >= self._deadline_s:
            self._missed_at = now
            self._tell(CircuitEvent.MISSED)
        if self._line and now - max(self._heard_at, self._line[0].due) > _SILENCE_S:
            self.abort()

    @staticmethod
    def _fail(call: _Call) -> None:
        on_reply, call.on_reply = call.on_reply, None
        if on_reply is not None:
            on_reply(CountersUnavailable())


def packed(*command: Argument) -> bytes:
    return hiredis.pack_command(command)  # type: ignore[arg-type,no-any-return]  # its stub knows commands of one word only


def _settle(future: asyncio.Future[object], reply: object) -> None:
    if future.done():
        return
    if isinstance(reply, Exception):
        future.set_exception(reply)
    else:
        future.set_result(reply)
