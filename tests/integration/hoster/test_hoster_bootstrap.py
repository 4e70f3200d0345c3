"""Installing a worker over SSH, on a real sshd."""

import asyncio
import hashlib
import json
import os
import pwd
import shlex
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from hoster.nodes.bootstrap.far_side import unit_text
from tests.conftest import missing
from tests.integration.hoster.conftest import Hoster, User, eventually
from tests.servers.door import Door
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


def _stop_worker(pid_file: Path) -> None:
    number = int(pid_file.read_text(encoding="ascii"))
    os.kill(number, signal.SIGTERM)
    deadline = time.monotonic() + 30
    while Path(f"/proc/{number}").exists() and time.monotonic() < deadline:
        try:
            os.waitpid(number, os.WNOHANG)
        except ChildProcessError:
            time.sleep(0.1)


def _install_beforehand(base: Path) -> None:
    """As an installation that was broken off after its longest step: this test's own dependencies, marked as those of the lock."""
    venv = base / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to(Path(sys.executable).resolve())
    (venv / "lib").symlink_to(Path(sys.prefix) / "lib")
    shutil.copy(Path(sys.prefix) / "pyvenv.cfg", venv)
    (venv / ".installed").write_text(hashlib.sha256((ROOT / "requirements.lock").read_bytes()).hexdigest())


def _wheel(folder: Path) -> str:
    """The line of a lock for the smallest of wheels, which is put into `folder`."""
    folder.mkdir()
    file = folder / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as wheel:
        wheel.writestr("tiny.py", "SIZE = 1\n")
        about = "tiny-1.0.dist-info"
        wheel.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        wheel.writestr(
            f"{about}/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        wheel.writestr(
            f"{about}/RECORD", f"tiny.py,,\n{about}/METADATA,,\n{about}/WHEEL,,\n{about}/RECORD,,\n"
        )
    return f"tiny==1.0 --hash=sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}\n"


def _install(base: Path) -> subprocess.CompletedProcess[str]:
    """The step of this name, as it is run on the machine: with the system's Python and nothing else."""
    python = str(Path(sys.executable).resolve())
    return subprocess.run(
        [python, str(base / "far_side.py"), "install"], input="{}\n", capture_output=True, text=True, timeout=120,
        env={"PATH": os.defpath, "HOME": str(base)}, check=False,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_locked_dependencies_are_installed_once_from_the_wheels_that_came_along(tmp_path: Path) -> None:
    base = tmp_path / "hosting-worker"
    (base / "app").mkdir(parents=True)
    shutil.copy(ROOT / "hoster" / "nodes" / "bootstrap" / "far_side.py", base)
    lock = base / "app" / "requirements.lock"
    lock.write_text(_wheel(base / "app" / "wheels"))
    assert json.loads(_install(base).stdout) == {"installed": "now"}
    assert json.loads(_install(base).stdout) == {"installed": "before"}
    said = subprocess.run(
        [str(base / "venv" / "bin" / "python"), "-c", "import tiny; print(tiny.SIZE)"],
        capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    assert said.stdout == "1\n"


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_a_machine_that_is_logged_in_to_becomes_a_node(
    owner: User, machine: SshMachine, free_port: Callable[[], int]
) -> None:
    await asyncio.to_thread(_install_beforehand, machine.home / "hosting-worker")
    ssh = _ssh(machine, worker_port=free_port(), mesh_port=free_port())
    made = await owner.ask("POST", NODES, {"name": "rack", "ssh": ssh})
    assert made.status == 201, made.body
    at = f"{NODES}/{made.body['id']}"
    node = await _ended(owner, at, 90)
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
        _stop_worker(machine.home / "hosting-worker" / "worker.pid")


@dataclass(frozen=True)
class SystemdMachine:
    """`told` holds the arguments of each call of systemctl."""

    ssh: SshMachine
    unit: Path
    told: Path
    worker_pid: Path


@pytest.fixture
def systemd_machine(tmp_path: Path) -> Iterator[SystemdMachine]:
    """It has /run/systemd/system and an /etc/systemd/system of its own (in a mount namespace), and a systemctl that is a script."""
    if os.geteuid() != 0:
        missing("root", "only root may give a process an /etc of its own")
    units, booted, records, programs = (tmp_path / name for name in ("units", "run", "records", "programs"))
    for folder in (units, booted / "system", records, programs):
        folder.mkdir(parents=True)
    stand_in = [str(Path(sys.executable).resolve()), str(ROOT / "tests/servers/systemctl.py"), str(units), str(records)]  # fmt: skip
    (programs / "systemctl").write_text(f'#!/bin/sh\nexec {shlex.join(stand_in)} "$@"\n')
    (programs / "systemctl").chmod(0o755)
    mounts = f"mount --bind {booted} /run/systemd && mount --bind {units} /etc/systemd/system"
    within = ["unshare", "--mount", "--propagation", "private", "sh", "-c", f'{mounts} && exec "$@"', "sh"]
    with SshMachine(tmp_path / "machine", f"{programs}:{os.environ['PATH']}", within) as ssh:
        yield SystemdMachine(ssh, units / "hosting-worker.service", records / "told", records / "pid")


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_where_systemd_runs_the_machine_the_worker_becomes_a_unit_of_it(
    owner: User, systemd_machine: SystemdMachine, free_port: Callable[[], int]
) -> None:
    machine = systemd_machine.ssh
    await asyncio.to_thread(_install_beforehand, machine.home / "hosting-worker")
    ssh = _ssh(machine, worker_port=free_port(), mesh_port=free_port())
    made = await owner.ask("POST", NODES, {"name": "rack", "ssh": ssh})
    node = await _ended(owner, f"{NODES}/{made.body['id']}", 90)
    try:
        assert node["bootstrap"]["status"] == "done", node["bootstrap"]
        assert node["status"] == "online"
        assert "started the worker as a systemd unit" in [
            line["message"] for line in node["bootstrap"]["log"]
        ]
        told = [json.loads(line) for line in systemd_machine.told.read_text().splitlines()]
        unit = systemd_machine.unit.name
        assert told == [["daemon-reload"], ["enable", unit], ["restart", unit]]
        assert not (machine.home / "hosting-worker" / "worker.pid").exists()
        verified = await asyncio.to_thread(_verify, systemd_machine.unit)
        assert (verified.returncode, verified.stderr) == (0, "")
    finally:
        _stop_worker(systemd_machine.worker_pid)


def _verify(unit: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=30, check=False
    )


def test_the_unit_is_one_for_systemd_in_a_folder_of_any_name(tmp_path: Path) -> None:
    base = tmp_path / "100 %h" / "hosting-worker"
    for folder in (base / "app", base / "venv" / "bin"):
        folder.mkdir(parents=True)
    (base / "venv" / "bin" / "python").symlink_to(Path(sys.executable).resolve())
    unit = tmp_path / "hosting-worker.service"
    unit.write_text(unit_text(pwd.getpwuid(os.geteuid()).pw_name, base))

    verified = _verify(unit)
    assert (verified.returncode, verified.stderr) == (0, "")
    unit.write_text(unit.read_text().replace("100 %%h", "elsewhere"))
    assert "is not executable" in _verify(unit).stderr


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


async def test_a_machine_that_is_about_to_boot_and_a_connection_that_is_lost_are_tried_again(
    owner: User, tmp_path: Path
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "sh").symlink_to("/bin/sh")
    (programs / "python3").write_text(
        '#!/bin/sh\necho \'{"python": "3.9.2", "system": "x", "user": "x", "docker": true}\'\n'
    )
    (programs / "python3").chmod(0o755)
    # Two are turned away, one is for the host key, and the first that logs in is cut off in its middle.
    with SshMachine(tmp_path / "late", path=str(programs)) as late:
        async with Door(late.port, {1: 0, 2: 0, 4: 4_000}) as door:
            made = await owner.ask("POST", NODES, {"name": "rack", "ssh": _ssh(late, port=door.port)})
            node = await _ended(owner, f"{NODES}/{made.body['id']}")

    told = [line["message"] for line in node["bootstrap"]["log"]]
    assert sum("Trying again" in message for message in told) == 3, told
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
