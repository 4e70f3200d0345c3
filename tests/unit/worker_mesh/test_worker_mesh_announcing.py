"""What a node says of its hosts, and takes back when it ends."""

import asyncio
from collections.abc import Collection, Mapping

import pytest

from worker.mesh.announcing import Announcer, HopKeys
from worker.mesh.registry import Entry
from worker.mesh.table import MeshTable, ProjectRoute, Visibility

HOSTS = {"site.zexio.internal", "site.zexio.app"}


class HearingRegistry:
    """A `worker.mesh.registry.Registry` that hears everything, and answers a claim never."""

    def __init__(self) -> None:
        self.heard: set[str] = set()
        self.claimed = asyncio.Event()

    async def find(self, host: str) -> Entry | None:
        raise AssertionError(f"nobody asks for {host}")

    async def claim(self, entries: Mapping[str, Entry]) -> list[str]:
        self.heard |= entries.keys()
        self.claimed.set()
        await asyncio.Event().wait()
        return []

    async def release(self, hosts: Collection[str], node: str) -> None:
        assert node == "w_1"
        self.heard -= set(hosts)

    async def hop_key(self) -> bytes:
        return b"key"


async def test_an_end_before_the_registry_has_answered_takes_back_what_it_was_told() -> None:
    registry, table = HearingRegistry(), MeshTable("zexio.internal", "zexio.app")
    table.put(
        ProjectRoute(
            project_id="site",
            org_id="org_a",
            visibility=Visibility.PUBLIC,
            public_hosts=frozenset({"site.zexio.app"}),
            web_service="web",
            backends={},
        )
    )

    async def address() -> tuple[str, int]:
        return "192.0.2.1", 8090

    saying = asyncio.create_task(Announcer(registry, table, HopKeys(), "w_1", address).run())
    await registry.claimed.wait()
    assert registry.heard == HOSTS
    saying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await saying

    assert registry.heard == set()
