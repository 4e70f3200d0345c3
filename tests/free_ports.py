"""Ports that nobody else takes between the moment they are found and the moment something listens on them.

They lie below those that systems choose for connections going out, and each process has a block of its own: claimed by the name of a
socket, which goes with the process.
"""

import socket
from collections.abc import Iterator
from functools import cache
from itertools import cycle

_FIRST, _END, _BLOCK = 10_000, 32_000, 200


def free_port() -> int:
    """On loopback; not given again by this process before the whole block was."""
    for port in _ports():
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue  # something else has it
            return port
    raise AssertionError("a cycle has no end")


@cache
def _ports() -> Iterator[int]:
    for first in range(_FIRST, _END, _BLOCK):
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0ports of tests from {first}")
        except OSError:
            claim.close()
            continue
        claim.detach()  # open for as long as the process lives
        return cycle(range(first, first + _BLOCK))
    raise RuntimeError(f"all ports from {_FIRST} to {_END} are claimed by other tests")
