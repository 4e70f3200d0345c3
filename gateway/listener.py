"""The public listening socket."""

import ctypes
import socket
import struct

_SO_ATTACH_FILTER = 26
_BPF_RETURN_CONSTANT = 6


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


def admit_nobody_new(listener: socket.socket) -> None:
    """From now on connection attempts get no answer, while those that the kernel has completed can still be accepted.

    Closing a listener resets whatever waits in its queue; behind this filter (one BPF instruction: drop) the queue can be emptied
    first. Who tries meanwhile tries again a second later, and is refused then. Raises OSError.
    """
    instruction = ctypes.create_string_buffer(struct.pack("HBBI", _BPF_RETURN_CONSTANT, 0, 0, 0))
    program = struct.pack("HxxxxxxP", 1, ctypes.addressof(instruction))
    listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
