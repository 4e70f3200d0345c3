"""The docker command, as an observer who shares no code with the worker."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from worker.runtime import labels


def docker(*arguments: str, **environment: str) -> str:
    return docker_bytes(*arguments, **environment).decode()


def docker_bytes(*arguments: str, **environment: str) -> bytes:
    done = subprocess.run(
        ["docker", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, (arguments, done.stderr)
    return done.stdout


def build_image(folder: Path, *names: str) -> str:
    """The image's id. It shares no layer with any other: what one test takes away, another one's build might stand on."""
    named = [argument for name in names for argument in ("-t", name)]
    return docker("build", "-q", "--no-cache", *named, str(folder), DOCKER_BUILDKIT="0").strip()


def container_ids(instance: str, *, project: str = "", running_only: bool = False) -> list[str]:
    wanted = [f"--filter=label={labels.INSTANCE}={instance}"]
    if project:
        wanted.append(f"--filter=label={labels.PROJECT}={project}")
    return docker("ps", "-q", "--no-trunc", *([] if running_only else ["-a"]), *wanted).split()


def network_ids(instance: str) -> list[str]:
    return docker("network", "ls", "-q", f"--filter=label={labels.INSTANCE}={instance}").split()


def inspect(container_id: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = json.loads(docker("inspect", container_id))
    return found[0]


def descendants(image: str) -> set[str]:
    """The images that were built on top of one, layer by layer."""
    parents = _parents()
    found: set[str] = set()
    wanted = {inspect(image)["Id"]}
    while wanted:
        wanted = {one for one, parent in parents.items() if parent in wanted}
        found |= wanted
    return found


def remove_with_descendants(image: str) -> None:
    """Also what tests built on it and did not live to remove. A container that is just going may hold one for a moment."""
    for _turn in range(20):
        left = descendants(image)
        if not left:
            break
        for one in left - set(_parents().values()):
            subprocess.run(["docker", "rmi", "-f", one], capture_output=True, timeout=60, check=False)
    docker("rmi", "-f", image)


def _parents() -> dict[str, str]:
    """Others make and remove images meanwhile: what is gone when it is looked at is left out."""
    ids = set(docker("images", "-aq", "--no-trunc").split())
    seen = subprocess.run(
        ["docker", "inspect", "--type=image", "--format", "{{.Id}} {{.Parent}}", *ids],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return {line.partition(" ")[0]: line.partition(" ")[2] for line in seen.stdout.splitlines() if line}


def remove_everything_of(instance: str) -> None:
    """The engine ends what a worker that was killed had asked of it: what comes after one look is seen by the next."""
    for _turn in range(20):
        left = _everything_of(instance)
        if not left:
            return
        for command, names in left.items():
            subprocess.run(["docker", *command, *names], capture_output=True, timeout=120, check=False)
    raise AssertionError(f"docker does not let go of {_everything_of(instance)}")


def _everything_of(instance: str) -> dict[tuple[str, ...], set[str]]:
    """What is there by the command that removes it, in the order in which it can go."""
    ours = f"--filter=label={labels.INSTANCE}={instance}"
    found = {
        ("rm", "-f", "-v"): container_ids(instance),
        ("network", "rm"): network_ids(instance),
        ("volume", "rm", "-f"): docker("volume", "ls", "-q", ours).split(),
        ("rmi", "-f"): docker("images", "-q", ours).split(),
    }
    return {command: set(names) for command, names in found.items() if names}
