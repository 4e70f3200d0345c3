"""The public listening socket."""

import asyncio
import ctypes
import socket
import struct

_SO_ATTACH_FILTER = 26
_BPF_RETURN_CONSTANT = 6
_UNACKED = struct.Struct("24xI")
"""The place in `struct tcp_info` where a listener tells the length of its queue."""
_EMPTY_WITHIN_S = 0.5
_TURN_S = 0.005


def listen(host: str, port: int) -> socket.socket:
    """Bound, not accepting yet. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.setblocking(False)  # noqa: FBT003 - the standard library's name for it
    except BaseException:
        listener.close()
        raise
    return listener


async def empty_queue(listener: socket.socket) -> None:
    """Returns when whoever serves `listener` has accepted all that there is to accept; new attempts get no answer any more.

    Closing a listener resets the connections that wait in its queue, which their clients believe to be open. Behind a filter (one
    BPF instruction: drop) nothing is added to the queue, and it can be emptied first. Who tries meanwhile tries again after a second,
    and is refused then, when the listener is closed. Raises OSError.
    """
    _drop_everything(listener)
    turns = int(_EMPTY_WITHIN_S / _TURN_S)
    for _ in range(turns):
        await asyncio.sleep(_TURN_S)
        if not _waiting(listener):
            return


def _drop_everything(listener: socket.socket) -> None:
    instruction = ctypes.create_string_buffer(struct.pack("HBBI", _BPF_RETURN_CONSTANT, 0, 0, 0))
    program = struct.pack("HxxxxxxP", 1, ctypes.addressof(instruction))
    listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)


def _waiting(listener: socket.socket) -> int:
    found: int = _UNACKED.unpack(listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _UNACKED.size))[0]
    return found
