"""The docker and compose command lines: which spelling is here, and one call with a deadline."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from typing import IO

CALL_DEADLINE_S = 120.0


class NoCompose(Exception):
    """Neither `docker compose` nor `docker-compose` is installed."""


def docker(
    *arguments: str, stdin: IO[bytes] | None = None, deadline_s: float = CALL_DEADLINE_S
) -> subprocess.CompletedProcess[str]:
    """One call; the result carries the exit code and the output, nothing is raised for a failure of docker's."""
    return subprocess.run(
        ["docker", *arguments],
        stdin=stdin or subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=deadline_s,
        check=False,
    )


def has_image(name: str) -> bool:
    return docker("image", "inspect", name).returncode == 0


def compose_command() -> tuple[str, ...]:
    """`docker compose` where the plugin is here, else `docker-compose`. Raises NoCompose."""
    if shutil.which("docker") is not None and docker("compose", "version").returncode == 0:
        return ("docker", "compose")
    if shutil.which("docker-compose") is not None:
        return ("docker-compose",)
    raise NoCompose(
        "neither `docker compose` nor `docker-compose` is installed; install one of them (Debian: docker-compose)"
    )


def build_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """BuildKit where the client has it; the classic builder otherwise, which the old compose also needs to be told."""
    if shutil.which("docker") is not None and docker("buildx", "version").returncode == 0:
        return dict(environment)
    return {**environment, "DOCKER_BUILDKIT": "0", "COMPOSE_DOCKER_CLI_BUILD": "0"}


def run_inherited(command: tuple[str, ...], environment: Mapping[str, str]) -> int:
    """Runs with our terminal, for the calls whose progress a person wants to see."""
    return subprocess.run(command, env={**os.environ, **environment}, check=False).returncode
