"""Installing a worker over SSH, on a real sshd."""

import json
import os
import platform
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from deploy.containers.wheels import fetch
from tests.integration.hoster.conftest import Hoster, User, eventually
from tests.servers.ssh_machine import SshMachine, keygen, public_line

NODES = "/api/v1/nodes"
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[SshMachine]:
    with SshMachine(tmp_path / "machine") as started:
        yield started


@pytest.fixture
async def reachable_hoster(start_hoster: Any, free_port: Callable[[], int]) -> AsyncIterator[Hoster]:
    """Its public URL is where it really is."""
    port = free_port()
    running, database = await start_hoster(
        port,
        HOSTER_PUBLIC_URL=f"http://127.0.0.1:{port}",
        WORKER_WHEELS_DIR=str(ROOT / "deploy" / "build" / "wheels"),
    )
    try:
        yield running
    finally:
        await running.runner.cleanup()
        await database.close()


@pytest.fixture
def owner(reachable_hoster: Hoster, session: aiohttp.ClientSession) -> User:
    return User(reachable_hoster.base_url, session)


def _ssh(machine: SshMachine, **more: Any) -> dict[str, Any]:
    return {
        "host": "127.0.0.1",
        "port": machine.port,
        "user": machine.user,
        "private_key": machine.private_key,
        **more,
    }


async def _ended(user: User, at: str, within_s: float = 30) -> Any:
    async def has_ended() -> bool:
        return (await user.ask("GET", at)).body["bootstrap"]["status"] in {"done", "failed"}

    await eventually(has_ended, within_s)
    return (await user.ask("GET", at)).body


def _stop_worker(home: Path) -> None:
    number = int((home / "hosting-worker" / "worker.pid").read_text(encoding="ascii"))
    os.kill(number, signal.SIGTERM)
    deadline = time.monotonic() + 30
    while Path(f"/proc/{number}").exists() and time.monotonic() < deadline:
        try:
            os.waitpid(number, os.WNOHANG)
        except ChildProcessError:
            time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_a_machine_with_nothing_but_python_becomes_a_node(
    owner: User, machine: SshMachine, free_port: Callable[[], int]
) -> None:
    wheels = ROOT / "deploy" / "build" / "wheels"
    fetch(ROOT / "requirements.lock", wheels, ".".join(platform.python_version_tuple()[:2]))
    ssh = _ssh(machine, worker_port=free_port(), mesh_port=free_port())
    made = await owner.ask("POST", NODES, {"name": "rack", "ssh": ssh})
    assert made.status == 201, made.body
    at = f"{NODES}/{made.body['id']}"
    node = await _ended(owner, at, 300)
    try:
        bootstrap = node["bootstrap"]
        assert bootstrap["status"] == "done", bootstrap
        assert (node["status"], node["address"]) == ("online", f"http://127.0.0.1:{ssh['worker_port']}")
        assert (bootstrap["host_key"], bootstrap["host_key_pinned"]) == (machine.host_key, True)
        told = [line["message"] for line in bootstrap["log"]]
        assert told[-1] == "the node is online"
        everything = json.dumps(node)
        assert made.body["join_token"] not in everything
        assert "PRIVATE KEY" not in everything
        left = b"".join(
            file.read_bytes() for file in (machine.home / "hosting-worker").iterdir() if file.is_file()
        )
        assert made.body["join_token"].encode() not in left
        again = await owner.ask("POST", f"{at}/bootstrap", {"ssh": ssh})
        assert (again.status, again.body["code"]) == (409, "node_joined_already")
    finally:
        _stop_worker(machine.home)


async def test_a_machine_with_another_host_key_than_the_given_one_is_not_logged_in_to(
    owner: User, machine: SshMachine, tmp_path: Path
) -> None:
    wrong = public_line(keygen(tmp_path / "another"))
    for host_key in (wrong, "SHA256:" + "A" * 43):
        made = await owner.ask("POST", NODES, {"name": "rack", "ssh": _ssh(machine, host_key=host_key)})
        node = await _ended(owner, f"{NODES}/{made.body['id']}")

        assert node["bootstrap"]["status"] == "failed"
        assert "host key" in node["bootstrap"]["reason"]
        assert node["status"] == "joining"
    assert list(machine.home.iterdir()) == []


async def test_a_failed_installation_may_be_ordered_again_and_its_secrets_are_gone(
    owner: User, machine: SshMachine, tmp_path: Path
) -> None:
    key = (await owner.ask("POST", "/api/v1/ssh_keys", {"name": "not let in"})).body
    ssh = {name: text for name, text in _ssh(machine, ssh_key_id=key["id"]).items() if name != "private_key"}
    made = await owner.ask("POST", NODES, {"name": "rack", "ssh": ssh})
    at = f"{NODES}/{made.body['id']}"
    first = await _ended(owner, at)
    assert first["bootstrap"]["status"] == "failed"
    assert "does not let" in first["bootstrap"]["reason"]
    assert (await owner.ask("DELETE", f"/api/v1/ssh_keys/{key['id']}")).status == 204

    again = await owner.ask("POST", f"{at}/bootstrap", {"ssh": _ssh(machine, user="nobody-here")})
    assert again.status == 202, again.body
    assert (await _ended(owner, at))["bootstrap"]["user"] == "nobody-here"
    assert (await owner.ask("DELETE", at)).status == 204


async def test_a_machine_without_a_python_that_is_new_enough_is_named_as_such(
    owner: User, tmp_path: Path
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "python3").write_text(
        '#!/bin/sh\necho \'{"python": "3.9.2", "system": "x", "user": "x", "docker": true}\'\n'
    )
    (programs / "python3").chmod(0o755)
    (programs / "sh").symlink_to("/bin/sh")
    with SshMachine(tmp_path / "old", path=str(programs)) as old:
        made = await owner.ask("POST", NODES, {"name": "rack", "ssh": _ssh(old)})
        node = await _ended(owner, f"{NODES}/{made.body['id']}")

    assert node["bootstrap"]["status"] == "failed"
    assert "Python 3.11 or newer" in node["bootstrap"]["reason"]
    assert "python3 is 3.9.2" in node["bootstrap"]["reason"]


async def test_nobody_there_is_said(owner: User, machine: SshMachine, free_port: Callable[[], int]) -> None:
    made = await owner.ask("POST", NODES, {"name": "rack", "ssh": _ssh(machine, port=free_port())})

    node = await _ended(owner, f"{NODES}/{made.body['id']}")
    assert "cannot be reached by SSH" in node["bootstrap"]["reason"]


@pytest.mark.parametrize(
    "change",
    [
        {"host": "-oProxyCommand=id"}, {"host": "a b"}, {"host": "a;id"}, {"user": "-x"}, {"user": "a b"}, {"port": 0},
        {"private_key": "nonsense"}, {"ssh_key_id": "sshkey_" + "0" * 32}, {"host_key": "ssh-ed25519 AAAA"},
        {"host_key": "nonsense"}, {"command": "id"}, {"worker_port": 70_000},
    ],
)  # fmt: skip
async def test_an_order_that_cannot_be_meant_is_refused_and_makes_no_node(
    user: User, tmp_path: Path, change: dict[str, Any]
) -> None:
    machine = SshMachine(tmp_path / "machine")

    answer = await user.ask("POST", NODES, {"name": "rack", "ssh": _ssh(machine, **change)})
    assert answer.status == 422
    assert (await user.ask("GET", NODES)).body["total"] == 1  # the operator's own


async def test_an_installation_that_hoster_died_in_is_taken_up_again(
    start_hoster: Any, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "sh").symlink_to("/bin/sh")
    (programs / "python3").write_text("#!/bin/sh\nexec /bin/sleep 30\n")
    (programs / "python3").chmod(0o755)
    running, database = await start_hoster()
    user = User(running.base_url, session)
    with SshMachine(tmp_path / "machine", path=str(programs)) as machine:
        made = await user.ask("POST", NODES, {"name": "rack", "ssh": _ssh(machine)})
        at = f"{NODES}/{made.body['id']}"

        async def is_under_way() -> bool:
            return bool((await user.ask("GET", at)).body["bootstrap"]["log"])

        await eventually(is_under_way, 20)
        again = await user.ask("POST", f"{at}/bootstrap", {"ssh": _ssh(machine)})
        assert (again.status, again.body["code"]) == (409, "bootstrap_under_way")
        await running.runner.cleanup()
        await database.close()

        (programs / "python3").write_text("#!/bin/sh\nexit 3\n")
        running, database = await start_hoster()
        try:
            node = await _ended(User(running.base_url, session), at)
        finally:
            await running.runner.cleanup()
            await database.close()
    assert "Python 3.11 or newer" in node["bootstrap"]["reason"]
    assert [line["message"].split(" ")[0] for line in node["bootstrap"]["log"]] == ["logged", "logged"]
    assert node["bootstrap"]["host_key"] == machine.host_key
