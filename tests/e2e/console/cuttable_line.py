"""A line between a browser and the platform, which can be cut in the middle of what it carries."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class CuttableLine:
    """`cut` breaks every connection and refuses new ones until `mend`. `listener` may be of another network than this process."""

    def __init__(self, target_port: int, listener: socket.socket) -> None:
        self._target = ("127.0.0.1", target_port)
        self._listener = listener
        self._open: set[socket.socket] = set()
        self._whole = threading.Event()
        self._whole.set()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def cut(self) -> None:
        self._whole.clear()
        for one in list(self._open):
            _close(one)

    def mend(self) -> None:
        self._whole.set()

    def close(self) -> None:
        self.cut()
        _close(self._listener)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if not self._whole.is_set():
                _close(client)
                continue
            try:
                server = socket.create_connection(self._target)
            except OSError:
                _close(client)
                continue
            self._open |= {client, server}
            if not self._whole.is_set():  # cut since it was looked at
                self.cut()
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._carry, args=(source, sink), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(65536):
                sink.sendall(piece)
        for one in (source, sink):
            self._open.discard(one)
            _close(one)


def _close(one: socket.socket) -> None:
    with suppress(OSError):
        # Closing alone does not wake a thread that reads.
        one.shutdown(socket.SHUT_RDWR)
    one.close()


@contextmanager
def cuttable_line(target_port: int) -> Iterator[CuttableLine]:
    line = CuttableLine(target_port, socket.create_server(("127.0.0.1", 0)))
    try:
        yield line
    finally:
        line.close()
