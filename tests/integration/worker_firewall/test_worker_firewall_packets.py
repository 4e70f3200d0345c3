"""Rules in a kernel: who reaches which port of a node, over IPv4 and IPv6."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from tests.integration.worker_firewall.conftest import (
    FRIEND_4,
    FRIEND_6,
    NODE_4,
    NODE_6,
    STRANGER_4,
    STRANGER_6,
    Machines,
)
from tests.integration.worker_firewall.node import MESH_PORT, PORT, SECRET, Node
from tests.servers.namespaces import address, namespace, wire
from tests.unit.worker_firewall.policies import GROUND, policies
from worker.firewall.nft import Nft
from worker.firewall.policy import Policy
from worker.firewall.ruleset import render

APP, OTHER, OPENED, SSH = 5000, 5001, 5002, 22
METADATA = "169.254.169.254"
RULES = [{"port": APP, "protocol": "tcp", "sources": [f"{FRIEND_4}/32", f"{FRIEND_6}/128"]}]


async def test_only_what_the_rules_open_is_reached_and_what_keeps_the_node_manageable_always_is(
    machines: Machines, node: Node
) -> None:
    await node.start()
    with ExitStack() as stack:
        for port in (APP, OTHER, SSH):
            stack.enter_context(machines.node.listen(port))
        earlier = stack.enter_context(machines.outside.connect(NODE_4, OTHER, STRANGER_4))

        await node.configure(rules=RULES)

        def reached(port: int) -> list[bool]:
            return [
                machines.outside.reaches(NODE_4, port, FRIEND_4),
                machines.outside.reaches(NODE_6, port, FRIEND_6),
                machines.outside.reaches(NODE_4, port, STRANGER_4),
                machines.outside.reaches(NODE_6, port, STRANGER_6),
            ]

        assert await asyncio.to_thread(reached, APP) == [True, True, False, False]
        assert await asyncio.to_thread(reached, OTHER) == [False] * 4
        for port in (SSH, PORT, MESH_PORT):
            assert await asyncio.to_thread(reached, port) == [True] * 4
        assert machines.node.reaches("127.0.0.1", OTHER)
        assert machines.node.reaches("::1", OTHER)
        assert earlier.send(b"still connected") == 15


async def test_udp_is_filtered_like_tcp(machines: Machines, node: Node) -> None:
    await node.start()
    await node.configure(rules=[{"port": 5000, "protocol": "udp", "sources": [f"{FRIEND_4}/32"]}])

    def bound(where: str, port: int) -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind((where, port))
        made.settimeout(30)
        return made

    with (
        machines.node.inside(lambda: bound(NODE_4, 5000)) as app,
        machines.outside.inside(lambda: bound(STRANGER_4, 0)) as stranger,
        machines.outside.inside(lambda: bound(FRIEND_4, 0)) as friend,
    ):
        stranger.sendto(b"stranger", (NODE_4, 5000))
        friend.sendto(b"friend", (NODE_4, 5000))

        assert await asyncio.to_thread(app.recv, 100) == b"friend"


async def test_a_tenants_container_reaches_dns_and_the_mesh_and_nothing_else_of_the_node(
    machines: Machines, node: Node
) -> None:
    await node.start(WORKER_TENANT_PORTS=str(OPENED))
    with namespace() as container, ExitStack() as stack:
        bridge = f"pl{node.instance[2:8]}tenant1"
        machines.node.exec("ip", "link", "add", bridge, "type", "bridge")
        wire(machines.node, container, ("veth1", "eth0"))
        machines.node.exec("ip", "link", "set", "veth1", "master", bridge)
        machines.node.exec("ip", "link", "set", bridge, "up")
        address(machines.node, bridge, "10.201.0.1/26", "fd00:201::1/64")
        address(container, "eth0", "10.201.0.2/26", "fd00:201::2/64")
        container.exec("ip", "route", "add", "default", "via", "10.201.0.1")
        for port in (APP, 53, SSH, 6379, OPENED):
            stack.enter_context(machines.node.listen(port))
        stack.enter_context(container.listen(8080))

        def reached(port: int) -> list[bool]:
            return [container.reaches(host, port) for host in ("10.201.0.1", "fd00:201::1", NODE_4)]

        for port in (53, MESH_PORT, OPENED):
            assert await asyncio.to_thread(reached, port) == [True] * 3
        for port in (PORT, SSH, 6379, APP):
            assert await asyncio.to_thread(reached, port) == [False] * 3
        assert machines.node.reaches("10.201.0.2", 8080), (
            "the worker asks containers whether they are healthy"
        )

        await node.configure(rules=[{"port": APP, "protocol": "tcp", "sources": ["10.201.0.0/26"]}])

        assert await asyncio.to_thread(reached, APP) == [True, False, True]

        await _answer_as_the_clouds_metadata_service(machines)
        with machines.outside.listen(80):
            assert await asyncio.to_thread(container.reaches, STRANGER_4, 80), "the world is open to it"
            assert not await asyncio.to_thread(container.reaches, METADATA, 80)
            assert machines.node.reaches(METADATA, 80)


async def test_a_port_is_opened_to_one_organisations_containers_by_the_short_form(
    machines: Machines, node: Node
) -> None:
    await node.start()
    await node.configure(port=5432, allowed_tenants=["org_a"])

    _status, standing = await node.call("GET", "/firewall")

    assert standing["pending"]["tenant_ports"] == [{"port": 5432, "allowed_tenants": ["org_a"]}]
    [line] = [line for line in node.ruleset().splitlines() if "5432" in line]
    assert line.strip().startswith(f'iifname "pl{node.instance[2:8]}')
    assert machines.outside.reaches(NODE_4, PORT, STRANGER_4)


async def _answer_as_the_clouds_metadata_service(machines: Machines) -> None:
    def arrange() -> None:
        address(machines.outside, "up0", f"{METADATA}/32")
        machines.outside.exec("ip", "route", "add", "10.201.0.0/26", "via", NODE_4)
        machines.node.exec("ip", "route", "add", METADATA, "dev", "up0")
        machines.node.exec("sysctl", "-qw", "net.ipv4.ip_forward=1")

    await asyncio.to_thread(arrange)


INVALID: dict[str, dict[str, Any]] = {
    "port 0": {"rules": [{"port": 0, "protocol": "tcp", "sources": ["10.0.0.0/8"]}]},
    "port 65536": {"rules": [{"port": 65536, "protocol": "tcp", "sources": ["10.0.0.0/8"]}]},
    "text as port": {"rules": [{"port": "80", "protocol": "tcp", "sources": ["10.0.0.0/8"]}]},
    "no network": {"rules": [{"port": 80, "protocol": "tcp", "sources": ["example.org"]}]},
    "a prefix too long": {"rules": [{"port": 80, "protocol": "tcp", "sources": ["10.0.0.0/33"]}]},
    "nft code": {"rules": [{"port": 80, "protocol": "tcp", "sources": ["10.0.0.0/8 } accept"]}]},
    "no source": {"rules": [{"port": 80, "protocol": "tcp", "sources": []}]},
    "a protocol of its own": {"rules": [{"port": 80, "protocol": "icmp", "sources": ["10.0.0.0/8"]}]},
    "nothing": {},
    "an unknown member": {"rules": [], "rule": []},
    "no time": {"rules": [], "confirm_within_s": 0},
    "a bad project id": {"allowed_tenants": {"Not/A/Project": ["org_a"]}},
    "an organisation that is none": {"port": 80, "allowed_tenants": ["two words"]},
    "short form, port 0": {"port": 0, "allowed_tenants": ["org_a"]},
}


async def test_what_means_nothing_is_refused_and_changes_nothing(machines: Machines, node: Node) -> None:
    await node.start()
    before = node.ruleset()
    answers = {name: await node.call("POST", "/firewall/configure", body) for name, body in INVALID.items()}

    assert {name: status for name, (status, _answer) in answers.items()} == dict.fromkeys(INVALID, 422)
    assert all(answer["code"] for _status, answer in answers.values())
    assert node.ruleset() == before
    assert (await node.call("GET", "/firewall"))[1]["pending"] is None


async def test_without_nft_the_worker_works_and_says_so(machines: Machines, node: Node) -> None:
    await node.start(PATH="/nowhere")

    status, answer = await node.call("POST", "/firewall/configure", {"rules": RULES})

    assert (status, answer["code"]) == (503, "firewall_unavailable")
    _status, standing = await node.call("GET", "/firewall")
    assert standing["enforced"] is False
    assert "nft" in standing["fault"]
    assert SECRET not in node.log()


@pytest.mark.parametrize("path", ["/firewall/configure", "/firewall/confirm"])
async def test_unsigned_changes_are_refused(machines: Machines, node: Node, path: str) -> None:
    await node.start()
    with machines.node.connect("127.0.0.1", PORT) as unsigned:
        unsigned.settimeout(30)
        unsigned.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{{}}".encode())
        answer = await asyncio.to_thread(unsigned.recv, 1000)

    assert answer.startswith(b"HTTP/1.1 401 ")


async def test_a_worker_that_is_evacuated_takes_its_rules_along(machines: Machines, node: Node) -> None:
    await node.start()
    await _until(lambda: node.table in node.ruleset())
    node.kill()

    assert "evacuated" in await asyncio.to_thread(node.evacuate)

    assert node.table not in node.ruleset()


@pytest.mark.parametrize("isolate", [True, False])
def test_every_policy_is_one_that_the_kernel_takes(machines: Machines, *, isolate: bool) -> None:
    script = machines.script("nft")
    nft = Nft(str(script))
    ground = replace(
        GROUND, isolate=isolate, tenant_ports=(5432, 6379), bridges=("pl0a1b2c*", "br-0123456789ab")
    )

    @settings(max_examples=40)
    @given(policies)
    def check(policy: Policy) -> None:
        nft.check(
            render(
                policy, ground, {org: "pl0a1b2cxxxxxxx" for one in policy.tenant_ports for org in one.orgs}
            )
        )

    check()


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(45):
        while not await asyncio.to_thread(holds):
            await asyncio.sleep(0.1)
