"""The locked dependencies as wheels for the image's Python, fetched outside the build, which then needs no network.

pip evaluates environment markers for the Python that runs it, not for the one that the wheels are for. So every locked package is
fetched, whatever its marker says, and the pip inside the image chooses.
"""

import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

DEADLINE_S = 600.0
_MARKER = re.compile(r"^(\S+==\S+) ;[^\\\n]*", re.MULTILINE)
GLIBC_MINORS = (17, 24, 26, 27, 28, 31, 34)


class WheelsMissing(Exception):
    """A locked dependency has no wheel for the image's platform, or the package index cannot be reached."""


def fetch(lock: Path, target: Path, python: str) -> None:
    """Fills `target` with exactly the wheels of `lock` for `python` (as `3.11`) on this machine's processor."""
    stamp = target / ".for"
    wanted = f"{python} {platform.machine()} {lock.read_text(encoding='utf-8')}"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    everything = target / "everything.lock"
    everything.write_text(_MARKER.sub(r"\1 ", lock.read_text(encoding="utf-8")), encoding="utf-8")
    machine = platform.machine()
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in GLIBC_MINORS] + [f"manylinux2014_{machine}"]
    done = subprocess.run(
        [
            sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input",
            "--require-hashes", "--no-deps", "--only-binary=:all:", "--implementation", "cp", "--python-version", python,
            *(argument for name in platforms for argument in ("--platform", name)),
            "--dest", str(target), "--requirement", str(everything),
        ],
        capture_output=True, text=True, timeout=DEADLINE_S, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise WheelsMissing(done.stderr.strip()[-400:])
    stamp.write_text(wanted, encoding="utf-8")
