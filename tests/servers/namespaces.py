"""Machines made of network namespaces, so that no test ever touches the machine it runs on."""

import ctypes
import os
import socket
import subprocess
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)

T = TypeVar("T")

PATIENCE_S = 1.0
"""How long a connection attempt waits for an answer before the packets count as dropped."""


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, (command, done.stderr)
    return done.stdout


class Namespace:
    """One machine's network: its own interfaces, loopback and ruleset."""

    def __init__(self, name: str) -> None:
        self.name = name

    def exec(self, *command: str) -> str:
        return run("ip", "netns", "exec", self.name, *command)

    def inside(self, call: Callable[[], T]) -> T:
        """`call` in a thread that lives in this namespace; sockets stay where they were made."""
        answers: list[T] = []
        errors: list[BaseException] = []

        def enter() -> None:
            try:
                descriptor = os.open(Path("/run/netns") / self.name, os.O_RDONLY)
                failed = _libc.setns(descriptor, _CLONE_NEWNET)
                os.close(descriptor)
                assert not failed, os.strerror(ctypes.get_errno())
                answers.append(call())
            except BaseException as error:  # noqa: BLE001 - carried over to the caller
                errors.append(error)

        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
        if errors:
            raise errors[0]
        return answers[0]

    def connect(self, address: str, port: int, source: str | None = None) -> socket.socket:
        """Raises TimeoutError when nobody answers, ConnectionRefusedError when nothing listens."""
        came_from = None if source is None else (source, 0)
        return self.inside(lambda: socket.create_connection((address, port), PATIENCE_S, came_from))

    def reaches(self, address: str, port: int, source: str | None = None) -> bool:
        try:
            with self.connect(address, port, source):
                return True
        except TimeoutError:
            return False

    def listen(self, port: int) -> socket.socket:
        """On every address of both families."""
        return self.inside(
            lambda: socket.create_server(
                ("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64
            )
        )


@contextmanager
def namespace() -> Iterator[Namespace]:
    made = Namespace(f"planetest-{uuid.uuid4().hex[:8]}")
    run("ip", "netns", "add", made.name)
    try:
        made.exec("ip", "link", "set", "lo", "up")
        yield made
    finally:
        run("ip", "netns", "del", made.name)


def wire(one: Namespace, other: Namespace, names: tuple[str, str]) -> None:
    """A cable between two machines; no addresses yet."""
    run(
        "ip",
        "link",
        "add",
        names[0],
        "netns",
        one.name,
        "type",
        "veth",
        "peer",
        "name",
        names[1],
        "netns",
        other.name,
    )
    one.exec("ip", "link", "set", names[0], "up")
    other.exec("ip", "link", "set", names[1], "up")


def address(where: Namespace, interface: str, *addresses: str) -> None:
    for one in addresses:
        extra = ("nodad",) if ":" in one else ()
        where.exec("ip", "address", "add", one, "dev", interface, *extra)
