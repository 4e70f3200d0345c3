"""`python -m deploy.console [build|check|lock]`: builds the console, or checks its code, when its sources have changed; or locks
its dependencies anew.

Node and npm are installed where we may. What was built is remembered by a checksum of everything that it was built from.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from deploy.packages import MayNotInstall, install

WEB = Path(__file__).resolve().parents[1] / "hoster" / "web"
OLDEST_NODE = 18
DEADLINE_S = 600.0

_STAMPS = {"build": WEB / "dist" / ".built-from", "check": WEB / "node_modules" / ".checked"}
_INSTALLED = WEB / "node_modules" / ".installed-from"
_SOURCES = (
    "package.json",
    "package-lock.json",
    "tsconfig.json",
    "vite.config.ts",
    "biome.json",
    "index.html",
)
_FOLDERS = ("src", "build", "public")


class ConsoleNotMade(Exception):
    """The message says why, for the operator."""


def make(task: str) -> bool:
    """False when nothing had changed since the last time. Raises ConsoleNotMade."""
    state = _checksum(_sources())
    stamp = _STAMPS[task]
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == state:
        return False
    _require_node()
    _install_dependencies()
    for script in ("build",) if task == "build" else ("check", "test"):
        _npm("run", "--silent", script)
    stamp.write_text(state, encoding="utf-8")
    return True


def lock() -> None:
    """Raises ConsoleNotMade. A lock file names packages and the checksums of their content: no address, of no registry and no fund."""
    _require_node()
    _npm("install", "--package-lock-only", "--ignore-scripts", "--no-audit", "--no-fund", "--silent")
    file = WEB / "package-lock.json"
    locked = json.loads(file.read_text(encoding="utf-8"))
    for package in locked["packages"].values():
        package.pop("funding", None)
    file.write_text(json.dumps(locked, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _sources() -> Iterable[Path]:
    yield from (WEB / name for name in _SOURCES)
    for folder in _FOLDERS:
        yield from sorted(path for path in (WEB / folder).rglob("*") if path.is_file())


def _checksum(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        body = file.read_bytes()
        digest.update(f"{file.relative_to(WEB)} {len(body)}\n".encode())
        digest.update(body)
    return digest.hexdigest()


def _require_node() -> None:
    absent = [name for name, program in (("nodejs", "node"), ("npm", "npm")) if shutil.which(program) is None]
    if absent:
        say(f"installing {', '.join(absent)}")
        try:
            install(absent)
        except MayNotInstall as reason:
            raise ConsoleNotMade(f"it needs Node.js {OLDEST_NODE} or newer and npm: {reason}") from reason
    asked = subprocess.run(["node", "--version"], capture_output=True, text=True, timeout=30, check=False)
    version = asked.stdout.strip().removeprefix("v")
    if not version or int(version.partition(".")[0]) < OLDEST_NODE:
        raise ConsoleNotMade(f"it needs Node.js {OLDEST_NODE} or newer; found {version or 'none'}")


def _install_dependencies() -> None:
    wanted = _checksum([WEB / "package-lock.json"])
    if _INSTALLED.is_file() and _INSTALLED.read_text(encoding="utf-8") == wanted:
        return
    say("installing its locked dependencies")
    # No package may run code of its own at installation; none of ours needs to.
    _npm("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent")
    _INSTALLED.write_text(wanted, encoding="utf-8")


def _npm(*arguments: str) -> None:
    environment = {**os.environ, "NO_UPDATE_NOTIFIER": "1", "NO_COLOR": "1"}
    try:
        done = subprocess.run(
            ["npm", *arguments],
            cwd=WEB,
            env=environment,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise ConsoleNotMade(f"npm {arguments[0]} did not end within {DEADLINE_S:.0f} s") from late
    if done.returncode != 0:
        output = f"{done.stdout}\n{done.stderr}".strip()
        raise ConsoleNotMade(f"npm {' '.join(arguments)} failed:\n{output[-4000:]}")


def say(sentence: str) -> None:
    sys.stdout.write(f"console: {sentence}\n")
    sys.stdout.flush()


_SAID = {
    "build": ("built", "built"),
    "check": ("lint, types and unit tests are clean", "checked"),
    "lock": ("its dependencies are locked", "locked"),
}
"""Of each task: what is said when it is done, and what it is not when it fails."""


def main(arguments: list[str]) -> int:
    task = arguments[0] if arguments else "build"
    if task not in _SAID:
        sys.stderr.write(f"usage: python -m deploy.console [{'|'.join(_SAID)}]\n")
        return 2
    done, never = _SAID[task]
    try:
        if task == "lock":
            lock()
        made = task == "lock" or make(task)
    except ConsoleNotMade as reason:
        sys.stderr.write(f"console: not {never}: {reason}\n")
        return 1
    if made or task == "check":
        say(done)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
