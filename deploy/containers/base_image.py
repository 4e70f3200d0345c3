"""The image that the three services are built from: the operator's, the public one, or one made here without any registry."""

import io
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.containers.docker_cli import docker, has_image
from deploy.packages import MayNotInstall, install

PUBLIC = "python:3.11-slim-bookworm"
PUBLIC_REDIS = "redis:7.4-alpine"
OWN = "localhost/platform-base:bookworm-git"
PACKAGES = "python3,python3-venv,ca-certificates,redis-server,git,openssh-client"
BOOTSTRAP_DEADLINE_S = 900.0
PULL_DEADLINE_S = 600.0


class NoBaseImage(Exception):
    """There is nothing to build the services from; the message says what was tried."""


@dataclass(frozen=True, slots=True)
class Images:
    """What compose is told. `python` is the version in `base`, as `3.11`."""

    base: str
    redis: str
    python: str


def choose(base: str | None, redis: str | None) -> Images:
    """The operator's images where named, else the public ones where they can be had, else one made here. Raises NoBaseImage."""
    chosen_base = base or (PUBLIC if _obtainable(PUBLIC) else _own())
    chosen_redis = redis or (PUBLIC_REDIS if _obtainable(PUBLIC_REDIS) else _own())
    return Images(chosen_base, chosen_redis, _python_version(chosen_base))


def _obtainable(name: str) -> bool:
    return has_image(name) or docker("pull", "--quiet", name, deadline_s=PULL_DEADLINE_S).returncode == 0


def _python_version(name: str) -> str:
    asked = docker(
        "run", "--rm", "--entrypoint", "python3", name, "-c", "import sys; print('%d.%d' % sys.version_info[:2])",
        deadline_s=PULL_DEADLINE_S,
    )  # fmt: skip
    if asked.returncode != 0:
        raise NoBaseImage(f"{name} does not run python3: {asked.stderr.strip()[-200:]}")
    return asked.stdout.strip()


def _own() -> str:
    """A minimal Debian with Python and Redis, bootstrapped from Debian's packages and imported as one layer; kept between runs."""
    if has_image(OWN):
        return OWN
    if os.geteuid() != 0 or not Path("/etc/debian_version").exists():
        raise NoBaseImage(
            f"{PUBLIC} cannot be pulled, and a base image can only be made here as root on Debian; set BASE_IMAGE and REDIS_IMAGE"
        )
    if shutil.which("debootstrap") is None:
        try:
            install(("debootstrap",))
        except MayNotInstall as reason:
            raise NoBaseImage(f"{PUBLIC} cannot be pulled, and debootstrap is missing: {reason}") from reason
    with tempfile.TemporaryDirectory(prefix="platform-base-") as folder:
        made = subprocess.run(
            ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", folder],
            capture_output=True, text=True, timeout=BOOTSTRAP_DEADLINE_S, check=False,
        )  # fmt: skip
        if made.returncode != 0:
            raise NoBaseImage(f"debootstrap failed: {made.stdout.strip()[-200:]}")
        with _as_tar(Path(folder)) as stream:
            imported = docker("import", "-", OWN, stdin=stream, deadline_s=BOOTSTRAP_DEADLINE_S)
    if imported.returncode != 0:
        raise NoBaseImage(f"the engine refused the base image: {imported.stderr.strip()[-200:]}")
    return OWN


@contextmanager
def _as_tar(root: Path) -> Iterator[io.BufferedReader]:
    """The tree as a tar stream, without what only the package installation needed."""
    left_out = ("./var/cache/apt", "./var/lib/apt/lists", "./proc", "./sys", "./dev")
    with tempfile.TemporaryFile(prefix="platform-base-") as file:
        with tarfile.open(fileobj=file, mode="w") as tar:
            tar.add(root, ".", filter=lambda entry: None if entry.name.startswith(left_out) else entry)
        file.seek(0)
        yield file  # type: ignore[misc]  # a binary temporary file is a buffered reader by another name
