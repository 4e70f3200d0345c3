"""A Redis that can be taken away and brought back, empty, at the same address."""

import subprocess

from tests.free_ports import free_port


class RedisProcess:
    def __init__(self) -> None:
        self._port = free_port()
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        settings = ["--port", str(self._port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._server = subprocess.Popen(["redis-server", *settings], stdout=subprocess.DEVNULL)

    def stop(self) -> None:
        self._server.terminate()
        self._server.wait(10)
