"""`python -m deploy.native [build|clean]`: compiles the hot modules when their sources have changed.

Failure policy: whatever hinders it is said in one line, and the sources run as they are.
"""

import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

from deploy.native import modules
from deploy.packages import MayNotInstall, install

DEADLINE_S = 1200.0
_FOLDER = modules.ROOT / ".venv" / "native"


class CannotCompile(Exception):
    """The message says why, for the operator."""


def build() -> None:
    """Raises CannotCompile; nothing is built then."""
    if modules.is_built():
        return
    modules.remove()
    _require_compiler()
    say("compiling the hot modules (about two minutes the first time)")
    begun = time.monotonic()
    # The translator's own files of an earlier run are not looked at again: they may be of other sources.
    shutil.rmtree(_FOLDER / "c", ignore_errors=True)
    _FOLDER.mkdir(parents=True, exist_ok=True)
    _run("-m", "deploy.native.extension", str(_FOLDER))
    _run("-c", "import shared.relay.conversation, gateway.pipeline")
    modules.mark_built()
    say(f"compiled in {time.monotonic() - begun:.0f} s")


def _require_compiler() -> None:
    absent = [] if shutil.which("cc") else ["gcc", "libc6-dev"]
    if not (Path(sysconfig.get_paths()["include"]) / "Python.h").is_file():
        absent.append(f"libpython{sysconfig.get_python_version()}-dev")
    if not absent:
        return
    say(f"installing {', '.join(absent)}")
    try:
        install(absent)
    except MayNotInstall as reason:
        raise CannotCompile(f"no C compiler, or no headers of Python: {reason}") from reason


def _run(*arguments: str) -> None:
    try:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=modules.ROOT,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        modules.remove()
        raise CannotCompile(f"not ready after {DEADLINE_S:.0f} s") from error
    if done.returncode != 0:
        modules.remove()
        log = _FOLDER / "failed.log"
        log.write_text(done.stdout + done.stderr, encoding="utf-8")
        raise CannotCompile(f"see {log}")


def main(arguments: list[str]) -> int:
    match arguments:
        case ["build"]:
            try:
                build()
            except CannotCompile as reason:
                say(f"the gateway runs uncompiled, at about twice the processor time: {reason}")
            return 0
        case ["clean"]:
            modules.remove()
            return 0
        case _:
            say("usage: python -m deploy.native build|clean")
            return 2


def say(sentence: str) -> None:
    sys.stderr.write(f"native: {sentence}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
