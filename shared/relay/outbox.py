"""What is written in one turn of the loop, sent together when the turn's input has been handled.

Fact: a send to a process that sleeps costs three times one to a process that runs, because it has to wake another processor.
With each request forwarded as soon as it was read, the upstream had answered and slept again before the next one was sent.
"""

import asyncio
from typing import Final

MOST_WAITING: Final = 32
"""Writers after which a turn sends what it has so far, so that the first does not wait for a thousandth."""

LARGE: Final = 16 * 1024
"""Bytes that are not worth keeping: they are sent at once."""


class Outbox:
    __slots__ = ("_loop", "_waiting")

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: list[SocketWriter] = []

    def add(self, writer: "SocketWriter") -> None:
        waiting = self._waiting
        if not waiting:
            if self._loop is None:
                self._loop = asyncio.get_running_loop()
            self._loop.call_soon(self._send)
        waiting.append(writer)
        if len(waiting) >= MOST_WAITING:
            self._send()

    def _send(self) -> None:
        waiting, self._waiting = self._waiting, []
        for writer in waiting:
            writer.flush()


class SocketWriter:
    """The writing half of a transport. Whoever closes the transport or ends its writing flushes first."""

    __slots__ = ("_kept", "_outbox", "_transport")

    def __init__(self, transport: asyncio.Transport, outbox: Outbox) -> None:
        self._transport = transport
        self._outbox = outbox
        self._kept = b""

    def write(self, data: bytes) -> None:
        if self._kept:
            self._kept += data
            if len(self._kept) >= LARGE:
                self.flush()
        elif len(data) >= LARGE:
            self._transport.write(data)
        elif data:
            self._kept = data
            self._outbox.add(self)

    def flush(self) -> None:
        kept = self._kept
        if kept:
            self._kept = b""
            if not self._transport.is_closing():
                self._transport.write(kept)

    @property
    def unsent(self) -> int:
        """Bytes that the kernel has not taken yet."""
        return len(self._kept) + self._transport.get_write_buffer_size()
