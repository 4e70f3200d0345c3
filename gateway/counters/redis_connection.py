"""One connection to Redis: commands of one turn of the loop leave in one write, replies come back in order.

A call that missed its deadline keeps its place in the line; only its caller has stopped waiting. Nobody is given up before the
loop has read what has come since: a loop that was busy for longer than the deadline finds its timers first, and the answers, which
were there in time, after them.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol, cast

import hiredis

from gateway.counters.circuit import CircuitEvent
from gateway.counters.resp import Argument, command
from gateway.errors import CountersUnavailable

_TOO_LATE_S: Final = 0.4
"""An answer that was read this long after its deadline is none, so that others know when all answers are in (see `Desk`)."""

_CANNOT_SERVE: Final = frozenset(
    ("BUSY", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "MISCONF", "NOREPLICAS", "OOM", "READONLY")
)
"""Errors that tell of Redis's own state, and not of the command."""

_NOT_SENT: Final = float("inf")
_SILENCE_S: Final = 2.0
_READ_FIRST_S: Final = 0.001
"""Any time at all: timers that are set now are looked at after the next read."""

OnReply = Callable[[object], None]
"""Gets the reply, or the exception that stands for it."""

Tell = Callable[[CircuitEvent], None]


class Scripted(Protocol):
    """A command that names a script, which Redis may not know (it was restarted, or its scripts were flushed)."""

    def in_full(self) -> bytes:
        """The same command with the script itself."""


class _Call:
    """`on_reply` is None once the caller was told that there is none. `due` counts from when the command was sent."""

    __slots__ = ("due", "on_reply", "scripted")

    def __init__(self, on_reply: OnReply | None, scripted: Scripted | None) -> None:
        self.on_reply = on_reply
        self.scripted = scripted
        self.due = _NOT_SENT


class RedisConnection:
    """`tell` hears of answers that came in time, and of misses: an answer that Redis cannot serve, or a deadline that passed, of which
    it hears once for every `deadline_s`.

    An `asyncio.Protocol`, without deriving from it: a class with a base from elsewhere cannot be compiled whole.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, deadline_s: float, tell: Tell) -> None:
        self._loop = loop
        self._tell = tell
        self._deadline_s = deadline_s
        self._reader = hiredis.Reader()
        self._line: deque[_Call] = deque()
        self._outgoing: list[bytes] = []
        self._unsent: list[_Call] = []
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._heard_at = time.monotonic()
        self._missed_at = float("-inf")
        self.server_run = ""
        self.closed: asyncio.Future[None] = loop.create_future()

    @property
    def is_stalled(self) -> bool:
        """Whether it has ended, or the oldest call was given up and still has no reply."""
        return self._transport is None or (bool(self._line) and self._line[0].on_reply is None)

    @property
    def is_waiting(self) -> bool:
        return bool(self._line)

    def call(self, encoded: bytes, on_reply: OnReply, scripted: Scripted | None = None) -> None:
        call = _Call(on_reply, scripted)
        self._line.append(call)
        if not self._outgoing:
            self._loop.call_soon(self.flush)
        self._outgoing.append(encoded)
        self._unsent.append(call)

    def ask(self, *arguments: Argument) -> asyncio.Future[object]:
        future: asyncio.Future[object] = self._loop.create_future()
        self.call(command(*arguments), lambda reply: _settle(future, reply))
        return future

    def begin(self, deadline_s: float) -> None:
        """The first questions are answered; from now on calls have this deadline."""
        self._deadline_s = deadline_s
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def abort(self) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do not derive from asyncio's classes, so this cannot be checked by isinstance.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._heard_at = time.monotonic()
        self._reader.feed(data)
        try:
            while (reply := self._reader.gets()) is not False:
                self._answer(self._line.popleft(), reply)
        except (hiredis.ProtocolError, IndexError):
            self.abort()

    def connection_lost(self, _exc: Exception | None) -> None:
        # Before anyone hears of it: who gives a unit back because of this must not write here.
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
        while self._line:
            self._fail(self._line.popleft())
        if not self.closed.done():
            self.closed.set_result(None)

    def eof_received(self) -> None:
        """The transport closes itself."""

    def pause_writing(self) -> None:
        """Calls are few and small, and have deadlines."""

    def resume_writing(self) -> None: ...

    def flush(self) -> None:
        if not self._unsent:
            return
        # Not the loop's time, which stands still for as long as a turn of the loop takes.
        due = time.monotonic() + self._deadline_s
        for call in self._unsent:
            call.due = due
        data = b"".join(self._outgoing)
        self._outgoing.clear()
        self._unsent.clear()
        if self._timer is None:
            self._timer = self._loop.call_at(due, self._overdue)
        if self._transport is not None:
            self._transport.write(data)

    def _answer(self, call: _Call, reply: object) -> None:
        if self._heard_at > call.due + _TOO_LATE_S:
            self._fail(call)
        if call.on_reply is None:
            return
        failure = str(reply).partition(" ")[0] if isinstance(reply, hiredis.ReplyError) else ""
        self._tell(CircuitEvent.MISSED if failure in _CANNOT_SERVE else CircuitEvent.ANSWERED)
        if call.scripted is not None and failure == "NOSCRIPT":
            self.call(call.scripted.in_full(), call.on_reply)
        else:
            call.on_reply(reply)

    def _overdue(self) -> None:
        self._timer = self._loop.call_later(_READ_FIRST_S, self._give_up, time.monotonic())

    def _give_up(self, now: float) -> None:
        """Those that were overdue at `now`."""
        self._timer = None
        if not self._line:
            return
        for call in [call for call in self._line if call.due <= now]:
            self._fail(call)
        due = next((call.due for call in self._line if call.on_reply is not None), _NOT_SENT)
        self._timer = self._loop.call_at(min(due, now + self._deadline_s), self._overdue)
        if self.is_stalled and now - self._missed_at >= self._deadline_s:
            self._missed_at = now
            self._tell(CircuitEvent.MISSED)
        if now - max(self._heard_at, self._line[0].due) > _SILENCE_S:
            self.abort()

    @staticmethod
    def _fail(call: _Call) -> None:
        on_reply, call.on_reply = call.on_reply, None
        if on_reply is not None:
            on_reply(CountersUnavailable())


def _settle(future: asyncio.Future[object], reply: object) -> None:
    if future.done():
        return
    if isinstance(reply, Exception):
        future.set_exception(reply)
    else:
        future.set_result(reply)
