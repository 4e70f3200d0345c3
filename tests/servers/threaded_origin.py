"""An upstream for tests without a loop of their own: what it does is in the path that it is asked for."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from typing_extensions import override

_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class _Handler(socketserver.StreamRequestHandler):
    timeout = 10.0

    @override
    def handle(self) -> None:
        while request_line := self.rfile.readline():
            while self.rfile.readline().strip():
                """The fields do not matter."""
            if b"/silent" in request_line:
                self.server.silence.wait(10)  # type: ignore[attr-defined]  # an attribute of our own server
                return
            if b"/hang-up" in request_line:
                return
            self.wfile.write(b"what?\r\n\r\n" if b"/garbage" in request_line else _OK)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.silence = threading.Event()


@contextmanager
def threaded_origin() -> Iterator[int]:
    """Its port."""
    with _Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.silence.set()
            server.shutdown()
            thread.join()
