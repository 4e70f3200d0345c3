"""A Docker Engine to deploy on: the running one, or one that is installed and started here, or a sentence saying why not."""

import http.client
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from typing_extensions import override

from deploy.packages import MayNotInstall, install

DEFAULT_ADDRESS = "unix:///var/run/docker.sock"
START_DEADLINE_S = 45.0
STOP_DEADLINE_S = 30.0
INSTALL_HINT = "install Docker Engine (https://docs.docker.com/engine/install/) and start it; it is found without a restart"


@dataclass(frozen=True, slots=True)
class Engine:
    """`available` with what is known about it; otherwise `detail` says what to do."""

    address: str
    available: bool
    detail: str


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=3)
        self._path = path

    @override
    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def answers(address: str) -> bool:
    """Whether an engine answers `GET /_ping` there within 3 s."""
    scheme, _, place = address.partition("://")
    connection: http.client.HTTPConnection
    if scheme == "unix":
        connection = _UnixConnection(place)
    else:
        host, _, port = place.partition(":")
        connection = http.client.HTTPConnection(host, int(port or 2375), timeout=3)
    try:
        connection.request("GET", "/_ping")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


@contextmanager
def engine(address: str | None, log_file: Path, say: Callable[[str], None]) -> Iterator[Engine]:
    """The engine for the length of the block. One that was started here is stopped at the end, with its containers.

    An explicit `address` is only looked at, never installed or started. `say` is told what takes a while.
    """
    place = address or DEFAULT_ADDRESS
    if answers(place):
        yield Engine(place, available=True, detail="using the running Docker Engine")
        return
    if address is not None and address != DEFAULT_ADDRESS:
        yield Engine(place, available=False, detail=f"no Docker Engine answers at {address}")
        return
    obstacle = _install_daemon(say)
    if obstacle is None and answers(place):
        yield Engine(place, available=True, detail="installed Docker Engine")
        return
    if obstacle is not None:
        yield Engine(place, available=False, detail=f"{obstacle}: {INSTALL_HINT}")
        return
    with _started_daemon(place, log_file) as started:
        yield started


def _install_daemon(say: Callable[[str], None]) -> str | None:
    """None when there is a daemon to start, else why there is none."""
    if os.geteuid() != 0:
        return "no Docker Engine is running, and only root may start one"
    if shutil.which("dockerd") is not None and shutil.which("iptables") is not None:
        return None
    say("installing Docker Engine (docker.io), which takes a minute")
    try:
        install(("docker.io", "iptables"))
    except MayNotInstall as reason:
        return f"no Docker Engine is installed ({reason})"
    return None


@contextmanager
def _started_daemon(place: str, log_file: Path) -> Iterator[Engine]:
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with log_file.open("ab") as log:
        daemon = subprocess.Popen(["dockerd"], stdout=log, stderr=log, start_new_session=True)
    try:
        if _wait_for(place, daemon):
            yield Engine(place, available=True, detail=f"started Docker Engine (log: {log_file})")
        else:
            yield Engine(place, available=False, detail=f"Docker Engine did not start: see {log_file}")
    finally:
        daemon.terminate()
        try:
            daemon.wait(STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()


def _wait_for(place: str, daemon: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + START_DEADLINE_S
    while time.monotonic() < deadline and daemon.poll() is None:
        if answers(place):
            return True
        time.sleep(0.2)
    return False
