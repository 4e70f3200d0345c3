"""A worker on a machine of its own, an outsider on another, and a tenant's container on a third."""

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.integration.worker_firewall.node import Node
from tests.servers.namespaces import Namespace, address, namespace, wire

NODE_4, NODE_6 = "192.0.2.1", "2001:db8::1"
FRIEND_4, FRIEND_6 = "192.0.2.2", "2001:db8::2"
STRANGER_4, STRANGER_6 = "192.0.2.3", "2001:db8::3"


@dataclass(frozen=True, slots=True)
class Machines:
    """`outside` has two addresses of each family: a friend's and a stranger's."""

    node: Namespace
    outside: Namespace
    scratch: Path

    def script(self, program: str) -> Path:
        """A program that runs `program` on the node."""
        path = self.scratch / program
        path.write_text(f'#!/bin/sh\nexec ip netns exec {self.node.name} {program} "$@"\n')
        path.chmod(0o755)
        return path


@pytest.fixture
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    for program in ("nft", "ip"):
        if shutil.which(program) is None:
            missing(program, "install the packages nftables and iproute2")
    if os.geteuid() != 0:
        missing("root", "network namespaces need it")
    with namespace() as node, namespace() as outside:
        wire(node, outside, ("up0", "up0"))
        address(node, "up0", f"{NODE_4}/24", f"{NODE_6}/64")
        address(outside, "up0", f"{FRIEND_4}/24", f"{STRANGER_4}/24", f"{FRIEND_6}/64", f"{STRANGER_6}/64")
        yield Machines(node, outside, tmp_path_factory.mktemp("machines"))


@pytest.fixture
async def node(machines: Machines, tmp_path: Path) -> AsyncIterator[Node]:
    started = Node(machines.node, tmp_path)
    yield started
    started.remove()
