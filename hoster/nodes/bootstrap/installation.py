"""The order in which a worker is brought onto a machine."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hoster.nodes.bootstrap.bundle import pack
from hoster.nodes.bootstrap.model import Credentials, Machine
from hoster.nodes.bootstrap.ssh import CommandFailed, Session

FOLDER = "hosting-worker"
PYTHON_LEAST = (3, 11)
SHORT_S, UPLOAD_S, INSTALL_S, JOIN_S, START_S = 30.0, 300.0, 1000.0, 75.0, 120.0

_PYTHONS = ("python3", "python3.14", "python3.13", "python3.12", "python3.11")
_FAR_SIDE = Path(__file__).with_name("far_side.py")
_SCRIPT = f"{FOLDER}/far_side.py"

Tell = Callable[[str], Awaitable[None]]


class MachineUnsuitable(Exception):
    """The machine cannot run a worker as it is."""


class AnotherNode(Exception):
    """The machine is a node already, and not this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """Where this platform is reached from outside, and what its workers are made of."""

    public_url: str
    app_domain: str
    source: Path
    wheels: Path | None

    def settings_for(self, machine: Machine) -> dict[str, str]:
        return {
            "HOSTER_URL": self.public_url,
            "JWKS_URL": f"{self.public_url}/.well-known/jwks.json",
            "WORKER_ADVERTISE_URL": machine.worker_address,
            "WORKER_PORT": str(machine.worker_port),
            "MESH_PORT": str(machine.mesh_port),
            "MESH_PUBLIC_SUFFIX": self.app_domain,
        }


async def install_worker(
    on: Session, machine: Machine, platform: Platform, credentials: Credentials, node_id: str, tell: Tell
) -> None:
    """Raises CommandFailed, MachineUnsuitable, AnotherNode or BundleMissing."""
    bundle = await asyncio.to_thread(pack, platform.source, platform.wheels)
    script = await asyncio.to_thread(_FAR_SIDE.read_bytes)
    await on.make_folder(FOLDER)
    await on.put(_SCRIPT, script, SHORT_S)
    python, found = await _find_python(on)
    await tell(f"found Python {found['python']} on {found['system']}, logged in as {found['user']}")
    if not found["docker"]:
        await tell(
            "no Docker Engine that this user may use: the worker waits for one at /var/run/docker.sock"
        )
    settings = platform.settings_for(machine)

    async def step(name: str, deadline_s: float, more: Mapping[str, str]) -> Mapping[str, object]:
        return _answer(await on.run([python, _SCRIPT, name], _line({**settings, **more}), deadline_s))

    await on.put(f"{FOLDER}/bundle.tar.gz", bundle, UPLOAD_S)
    await step("unpack", SHORT_S, {})
    await tell(f"sent the worker: {len(bundle) // 1024} KiB")
    installed = await step("install", INSTALL_S, {})
    await tell(
        "dependencies were there already"
        if installed.get("installed") == "before"
        else "installed the dependencies"
    )
    joined = await step("join", JOIN_S, {"token": credentials.join_token})
    if joined.get("node_id") != node_id:
        raise AnotherNode(
            f"The machine is {joined.get('node_id')} already; remove {FOLDER}/data/identity.json there to join it anew."
        )
    await tell("joined")
    started = await step("start", START_S, {})
    await tell(
        "started the worker as a systemd unit"
        if started.get("by") == "systemd"
        else "started the worker as a process of its own; it does not come back by itself after a reboot"
    )


async def _find_python(on: Session) -> tuple[str, Mapping[str, object]]:
    """The first interpreter that is new enough, and what it says about the machine."""
    seen: list[str] = []
    for python in _PYTHONS:
        try:
            found = _answer(await on.run([python, _SCRIPT, "probe"], _line({}), SHORT_S))
        except CommandFailed as failed:
            seen.append(f"{python}: {failed}")
            continue
        if tuple(int(part) for part in str(found["python"]).split(".")[:2]) >= PYTHON_LEAST:
            return python, found
        seen.append(f"{python} is {found['python']}")
    raise MachineUnsuitable(f"Python 3.11 or newer is needed on the machine ({'; '.join(seen)[:500]}).")


def _line(settings: Mapping[str, str]) -> str:
    return json.dumps(settings) + "\n"


def _answer(output: str) -> Mapping[str, object]:
    """Raises CommandFailed for anything but one JSON object; a login banner before it is skipped."""
    try:
        members = json.loads(output.strip().splitlines()[-1])
    except (ValueError, IndexError):
        members = None
    if not isinstance(members, dict):
        raise CommandFailed("The machine answered something else than was asked.")
    return members
