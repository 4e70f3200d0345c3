"""System packages, installed where we may: as root on Debian and its descendants."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

DEADLINE_S = 600.0


class MayNotInstall(Exception):
    """Packages cannot be installed here; the message is the end of a sentence for the operator."""


def install(names: Sequence[str]) -> None:
    """Installs packages without their recommendations. Raises MayNotInstall, with the reason."""
    wanted = " ".join(names)
    if shutil.which("apt-get") is None or not Path("/etc/debian_version").exists():
        raise MayNotInstall(f"this is not a Debian system; the packages are named {wanted} there")
    if os.geteuid() != 0:
        raise MayNotInstall(f"not root; run: apt-get install {wanted}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *names],
    ):
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=DEADLINE_S, check=False
        )
        if done.returncode != 0:
            last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no message"]
            raise MayNotInstall(f"{' '.join(command[:2])} failed: {last[0]}")
