"""Accepting on a listening socket that several processes share, so that each gets its part.

A server of the loop accepts all that waits in one go, and so the process that wakes first takes a whole burst of new clients. Here a
process takes one connection in each turn of its loop: the others wake for the rest, and a busy one takes fewer.
"""

import asyncio
import errno
import socket
from asyncio import Task
from collections.abc import Callable

import structlog

_NO_ROOM = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
_AGAIN_S = 1.0
_GONE = (BlockingIOError, InterruptedError, ConnectionAbortedError)


class SharedListener:
    """Failure policy: without room for another connection it accepts nothing for a second; clients wait in the queue."""

    def __init__(self, sock: socket.socket, new_protocol: Callable[[], asyncio.Protocol]) -> None:
        self._socket = sock
        self._new_protocol = new_protocol
        self._loop = asyncio.get_running_loop()
        self._again: asyncio.TimerHandle | None = None
        self._opening: set[Task[object]] = set()
        self._log = structlog.get_logger("relay")

    def start(self, backlog: int) -> None:
        self._socket.setblocking(False)  # noqa: FBT003 - the standard library's name for it
        self._socket.listen(backlog)
        self._loop.add_reader(self._socket, self._accept)

    def close(self) -> None:
        """Of this process's descriptor only: the queue stays with the others."""
        if self._again is not None:
            self._again.cancel()
        self._loop.remove_reader(self._socket)
        self._socket.close()

    def _accept(self) -> None:
        try:
            client, _ = self._socket.accept()
        except _GONE:
            return
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            self._log.error("cannot_accept", error=str(error))
            self._loop.remove_reader(self._socket)
            self._again = self._loop.call_later(_AGAIN_S, self._resume)
            return
        client.setblocking(False)  # noqa: FBT003 - the standard library's name for it
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task: Task[object] = self._loop.create_task(
            self._loop.connect_accepted_socket(self._new_protocol, client), name="accepted connection"
        )
        self._opening.add(task)
        task.add_done_callback(self._opened)

    def _resume(self) -> None:
        self._loop.add_reader(self._socket, self._accept)

    def _opened(self, task: Task[object]) -> None:
        self._opening.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.warning("connection_not_opened", error=str(error))
