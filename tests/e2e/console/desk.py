"""Where the browser stands: a machine of its own, as a customer's is, with a line to each port of the platform.

Beside an engine it would see every network that an app makes or leaves, and Chromium breaks off what it fetches when one comes or goes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.console.cuttable_line import CuttableLine
from tests.servers.namespaces import Namespace, address, namespace, wire

_ADDRESS = "198.51.100.7/24"
"""Of RFC 5737: with loopback alone a browser takes itself to be offline."""


class Desk:
    def __init__(self, machine: Namespace, directory: Path) -> None:
        self._machine = machine
        self._directory = directory
        self._lines: dict[int, CuttableLine] = {}

    def reaches(self, port: int) -> None:
        """What listens on this port of the tests' loopback is there on the same port of the browser's."""
        if port not in self._lines:
            self._lines[port] = CuttableLine(port, self._machine.listen(port))

    def program(self, path: str) -> str:
        """A program that runs the one at `path` here."""
        made = self._directory / Path(path).name
        made.write_text(f'#!/bin/sh\nexec ip netns exec {self._machine.name} {path} "$@"\n', encoding="utf-8")
        made.chmod(0o700)
        return str(made)

    def close(self) -> None:
        for line in self._lines.values():
            line.close()


@contextmanager
def desk_beside(directory: Path) -> Iterator[Desk]:
    with namespace() as machine:
        wire(machine, machine, ("network", "nobody"))
        address(machine, "network", _ADDRESS)
        machine.exec("ip", "route", "add", "default", "dev", "network")
        desk = Desk(machine, directory)
        try:
            yield desk
        finally:
            desk.close()
