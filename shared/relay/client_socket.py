"""The transport of a client's connection: reading held and resumed, and a reader that takes nothing found out."""

import asyncio

from shared.relay.director import Peer
from shared.relay.limits import Limits
from shared.relay.ticker import NEVER, Ticker


class ClientSocket:
    __slots__ = (
        "_limits",
        "_reading_held",
        "_ticker",
        "_transport",
        "_unsent",
        "deadline",
        "peer",
        "send",
        "writable",
    )

    def __init__(self, transport: asyncio.Transport, limits: Limits, ticker: Ticker) -> None:
        self._transport = transport
        self._limits = limits
        self._ticker = ticker
        self._reading_held = False
        self._unsent = 0
        self.peer = _peer(transport.get_extra_info("peername"))
        self.send = transport.write
        self.writable = True
        self.deadline = NEVER
        transport.set_write_buffer_limits(high=limits.write_high_water)

    def hold_reading(self) -> None:
        if not self._reading_held and not self._transport.is_closing():
            self._reading_held = True
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if self._reading_held and not self._transport.is_closing():
            self._reading_held = False
            self._transport.resume_reading()

    def writing_paused(self) -> None:
        self.writable = False
        self.watch()

    def writing_resumed(self) -> None:
        self.writable = True
        self.deadline = NEVER

    def watch(self) -> None:
        """From now on a reader that takes nothing is stalled."""
        self._unsent = self._transport.get_write_buffer_size()
        self.deadline = self._ticker.after(self._limits.write_stall)

    def is_stalled(self) -> bool:
        """To be asked when the deadline has passed: whether not one byte has been taken since it was set."""
        before = self._unsent
        self.watch()
        return self._unsent >= before

    def has_unsent(self) -> bool:
        return self._transport.get_write_buffer_size() > 0

    def end_writing(self) -> None:
        """After what has been written is sent."""
        if not self._transport.is_closing():
            self._transport.write_eof()

    def close(self) -> None:
        """After what has been written is sent."""
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()


def _peer(address: object) -> Peer:
    if isinstance(address, tuple) and len(address) >= 2:
        return Peer(str(address[0]), int(address[1]))
    return Peer("", 0)
