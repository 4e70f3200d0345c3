"""The transport of a client's connection: reading held and resumed, and a reader that takes nothing found out."""

import asyncio
import socket
import struct
from typing import Final

from shared.relay.director import Peer
from shared.relay.limits import Limits
from shared.relay.outbox import Outbox, SocketWriter

_RESET: Final = struct.pack("ii", 1, 0)
"""`struct linger`: on, for no time."""


class ClientSocket:
    __slots__ = ("_reading_held", "_transport", "_unsent", "_writer", "peer", "writable")

    def __init__(self, transport: asyncio.Transport, limits: Limits, outbox: Outbox) -> None:
        self._transport = transport
        self._writer = SocketWriter(transport, outbox)
        self._reading_held = False
        self._unsent = 0
        self.peer = _peer(transport.get_extra_info("peername"))
        self.writable = True
        transport.set_write_buffer_limits(high=limits.write_high_water)

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    def hold_reading(self) -> None:
        if not self._reading_held and not self._transport.is_closing():
            self._reading_held = True
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if self._reading_held and not self._transport.is_closing():
            self._reading_held = False
            self._transport.resume_reading()

    def note_unsent(self) -> None:
        self._unsent = self._writer.unsent

    def has_stalled(self) -> bool:
        """Whether not one byte was taken since `note_unsent`."""
        return self._writer.unsent >= self._unsent

    def has_unsent(self) -> bool:
        return self._writer.unsent > 0

    def end_writing(self) -> None:
        """After what has been written is sent."""
        if not self._transport.is_closing():
            self._writer.flush()
            self._transport.write_eof()

    def close(self) -> None:
        """After what has been written is sent."""
        self._writer.flush()
        self._transport.close()

    def reset_at_end(self) -> None:
        """The client is to be told with a reset that it has not got all. Without this even an abort looks like an end of its own accord."""
        if not self._transport.is_closing():  # else its descriptor may be somebody else's by now
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    def abort(self) -> None:
        self._transport.abort()


def _peer(address: object) -> Peer:
    if isinstance(address, tuple) and len(address) >= 2:
        return Peer(str(address[0]), int(address[1]))
    return Peer("", 0)
