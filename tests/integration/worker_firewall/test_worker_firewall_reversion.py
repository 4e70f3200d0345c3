"""Changes that nobody confirms, whatever becomes of the agent meanwhile."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

from tests.integration.worker_firewall.conftest import FRIEND_4, NODE_4, STRANGER_4, Machines
from tests.integration.worker_firewall.node import PORT, Node
from tests.servers.namespaces import run

APP = 5000
RULES = [{"port": APP, "protocol": "tcp", "sources": [f"{FRIEND_4}/32"]}]


async def test_a_change_that_is_not_confirmed_is_taken_back(machines: Machines, node: Node) -> None:
    await node.start()
    with machines.node.listen(APP):
        await node.configure(rules=RULES, confirm_within_s=9)
        assert not await asyncio.to_thread(machines.outside.reaches, NODE_4, APP, STRANGER_4)

        await _until_open(machines)

    status, answer = await node.call("GET", "/firewall")
    assert (status, answer["rules"], answer["pending"], answer["version"]) == (200, None, None, 0)


async def test_a_change_is_taken_back_although_the_agent_was_killed(machines: Machines, node: Node) -> None:
    await node.start()
    with machines.node.listen(APP):
        change = await node.configure(rules=RULES, confirm_within_s=9)
        node.kill()
        assert not await asyncio.to_thread(machines.outside.reaches, NODE_4, APP, STRANGER_4)

        await _until_open(machines)

    await node.start()
    status, answer = await node.call("POST", "/firewall/confirm", {"token": change["token"]})
    assert (status, answer["code"]) == (409, "nothing_to_confirm")


async def test_a_change_is_taken_back_by_the_next_agent_when_its_guard_was_killed_too(
    machines: Machines, node: Node
) -> None:
    await node.start()
    with machines.node.listen(APP):
        await node.configure(rules=RULES, confirm_within_s=20)
        node.kill()
        _kill_guards(machines)
        await node.start()
        assert len(_guards(machines)) == 1, "armed again"
        _kill_guards(machines)

        await _until_open(machines)


async def test_a_confirmed_change_stays_across_restarts_and_a_flush_by_somebody_else(
    machines: Machines, node: Node
) -> None:
    await node.start()
    with machines.node.listen(APP):
        change = await node.configure(rules=RULES, confirm_within_s=9)
        wrong, answer = await node.call("POST", "/firewall/confirm", {"token": "another"})
        assert (wrong, answer["code"]) == (409, "nothing_to_confirm")
        for _again in range(2):
            status, answer = await node.call("POST", "/firewall/confirm", {"token": change["token"]})
            assert (status, answer) == (200, {"version": change["version"], "status": "confirmed"})
        await asyncio.sleep(10)
        assert not await asyncio.to_thread(machines.outside.reaches, NODE_4, APP, STRANGER_4)
        assert _guards(machines) == []

        node.kill()
        machines.node.exec("nft", "flush", "ruleset")
        await node.start()
        await _until(lambda: node.table in node.ruleset())
        assert not await asyncio.to_thread(machines.outside.reaches, NODE_4, APP, STRANGER_4)
        assert machines.outside.reaches(NODE_4, APP, FRIEND_4)


async def test_a_newer_change_replaces_one_that_waits_and_what_was_confirmed_is_gone_back_to(
    machines: Machines, node: Node
) -> None:
    await node.start()
    with machines.node.listen(APP):
        first = await node.configure(rules=RULES, confirm_within_s=60)
        second = await node.configure(rules=[], confirm_within_s=9)

        assert second["version"] > first["version"]
        status, _answer = await node.call("POST", "/firewall/confirm", {"token": first["token"]})
        assert status == 409
        assert not await asyncio.to_thread(machines.outside.reaches, NODE_4, APP, FRIEND_4)
        await _until_open(machines)


async def test_a_guard_that_is_asked_to_end_takes_the_change_back_first(
    machines: Machines, node: Node
) -> None:
    await node.start()
    with machines.node.listen(APP):
        await node.configure(rules=RULES, confirm_within_s=600)
        for guard in _guards(machines):
            os.kill(guard, signal.SIGTERM)

        await _until_open(machines)


async def test_foreign_tables_are_never_touched(machines: Machines, node: Node) -> None:
    theirs = "table inet plane_other { chain input { type filter hook input priority 0; policy accept; }; }"
    machines.node.exec("nft", theirs)
    before = machines.node.exec("nft", "list", "table", "inet", "plane_other")
    await node.start()
    await node.configure(rules=RULES, confirm_within_s=1)
    await _until(lambda: "policy drop" not in node.ruleset())

    assert machines.node.exec("nft", "list", "table", "inet", "plane_other") == before
    assert machines.outside.reaches(NODE_4, PORT, STRANGER_4)


def _guards(machines: Machines) -> list[int]:
    """The processes that watch over changes on this test's machine."""
    found = run("ip", "netns", "pids", machines.node.name).split()
    return [pid for pid in map(int, found) if b"worker.firewall.reverter" in _command_line(pid)]


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return b""


def _kill_guards(machines: Machines) -> None:
    for guard in _guards(machines):
        os.kill(guard, signal.SIGKILL)


async def _until_open(machines: Machines) -> None:
    async with asyncio.timeout(45):
        while not await asyncio.to_thread(machines.outside.reaches, NODE_4, APP, STRANGER_4):
            await asyncio.sleep(0.1)


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(45):
        while not await asyncio.to_thread(holds):
            await asyncio.sleep(0.1)
