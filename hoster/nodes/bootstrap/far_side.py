"""What is done on the machine that becomes a node. This file is sent there and run by its own Python: standard library only.

`python3 far_side.py STEP` reads its settings as one JSON object from standard input and answers with one on standard output. Every
step may be repeated: what is done already stays done.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import pwd
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import urllib.request
from pathlib import Path

UNIT = "hosting-worker.service"
STOP_WITHIN_S = 30.0
UP_WITHIN_S = 30.0
INSTALL_DEADLINE_S = 900.0
JOIN_DEADLINE_S = 60.0
SHORT_S = 15.0
TOLD_MOST = 2000

BASE = Path(__file__).resolve().parent
APP, VENV, DATA = BASE / "app", BASE / "venv", BASE / "data"
PYTHON = VENV / "bin" / "python"
PID_FILE, LOG_FILE, SETTINGS_FILE = BASE / "worker.pid", BASE / "worker.log", BASE / "worker.env"


class StepFailed(Exception):
    """The message is for the owner of the node."""


def probe(_settings: dict[str, str]) -> dict[str, object]:
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "user": pwd.getpwuid(os.geteuid()).pw_name,
        "docker": os.access("/var/run/docker.sock", os.R_OK | os.W_OK),
        "service": "systemd" if _may_use_systemd() else "process",
    }


def unpack(_settings: dict[str, str]) -> dict[str, object]:
    fresh, former = BASE / "app.new", BASE / "app.old"
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.rmtree(former, ignore_errors=True)
    with tarfile.open(BASE / "bundle.tar.gz") as bundle:
        if hasattr(tarfile, "data_filter"):
            bundle.extractall(fresh, filter="data")
        else:  # before Python 3.11.4; the archive is our own
            bundle.extractall(fresh)  # noqa: S202 - as said
    if APP.exists():
        APP.rename(former)
    fresh.rename(APP)
    shutil.rmtree(former, ignore_errors=True)
    return {"files": sum(1 for _ in APP.rglob("*.py"))}


def install(_settings: dict[str, str]) -> dict[str, object]:
    lock = APP / "requirements.lock"
    done, wanted = VENV / ".installed", hashlib.sha256(lock.read_bytes()).hexdigest()
    if done.exists() and done.read_text(encoding="ascii") == wanted:
        return {"installed": "before"}
    shutil.rmtree(VENV, ignore_errors=True)
    _run([sys.executable, "-m", "venv", str(VENV)], INSTALL_DEADLINE_S)
    wheels = APP / "wheels"
    source = ["--no-index", "--find-links", str(wheels)] if wheels.is_dir() else []
    pip = [
        str(PYTHON),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-input",
        *source,
    ]
    _run([*pip, "--require-hashes", "--requirement", str(lock)], INSTALL_DEADLINE_S)
    done.write_text(wanted, encoding="ascii")
    return {"installed": "now"}


def join(settings: dict[str, str]) -> dict[str, object]:
    """The token goes by standard input: it is in no command line, file or environment."""
    identity = DATA / "identity.json"
    if not identity.exists():
        command = [str(PYTHON), "-m", "worker", "join", "--hoster", settings["HOSTER_URL"], "--token", "-"]
        _run(command, JOIN_DEADLINE_S, settings=_environment(settings), text=settings["token"] + "\n")
    return {"node_id": json.loads(identity.read_text(encoding="utf-8"))["node_id"]}


def start(settings: dict[str, str]) -> dict[str, object]:
    environment = _environment(settings)
    _write_private(
        SETTINGS_FILE, "".join(f"{name}={_quoted(text)}\n" for name, text in sorted(environment.items()))
    )
    _stop_process()
    by = "systemd" if _may_use_systemd() else "process"
    if by == "systemd":
        _start_unit()
    else:
        _start_process(environment)
    port = int(environment["WORKER_PORT"])
    if not _comes_up(port):
        told = _journal() if by == "systemd" else _log()
        raise StepFailed(f"the worker does not answer on port {port}: {told[-TOLD_MOST:]}")
    return {"by": by}


def _environment(settings: dict[str, str]) -> dict[str, str]:
    named = {name: text for name, text in settings.items() if name.isupper()}
    return {**named, "WORKER_DATA_DIR": str(DATA)}


def _start_process(environment: dict[str, str]) -> None:
    descriptor = os.open(LOG_FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "ab") as log:
        process = subprocess.Popen(
            [str(PYTHON), "-m", "worker"],
            cwd=APP, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
    _write_private(PID_FILE, str(process.pid))


def _stop_process() -> None:
    """Only a worker of this folder: a process id may long be someone else's."""
    try:
        number = int(PID_FILE.read_text(encoding="ascii"))
        if str(PYTHON).encode() not in Path(f"/proc/{number}/cmdline").read_bytes():
            return
        os.kill(number, signal.SIGTERM)
    except (OSError, ValueError):
        return
    deadline = time.monotonic() + STOP_WITHIN_S
    while Path(f"/proc/{number}").exists():
        if time.monotonic() > deadline:
            raise StepFailed("the worker that was there before does not stop")
        time.sleep(0.2)


def _as_root() -> list[str]:
    return [] if os.geteuid() == 0 else ["sudo", "-n"]


def _start_unit() -> None:
    as_root = _as_root()
    unit = unit_text(pwd.getpwuid(os.geteuid()).pw_name, BASE)
    _run([*as_root, "tee", f"/etc/systemd/system/{UNIT}"], SHORT_S, text=unit)
    _run([*as_root, "systemctl", "daemon-reload"], SHORT_S)
    _run([*as_root, "systemctl", "enable", UNIT], SHORT_S)
    _run([*as_root, "systemctl", "restart", UNIT], STOP_WITHIN_S + SHORT_S)


def unit_text(user: str, base: Path) -> str:
    """Started again however often it ends: a worker waits for a machine that is not ready yet (systemd.unit(5), StartLimit)."""
    folder = str(base).replace("%", "%%")
    return "\n".join(
        [
            "[Unit]",
            "Description=Worker of the hosting platform",
            "Wants=network-online.target",
            "After=network-online.target docker.service",
            "StartLimitIntervalSec=0",
            "[Service]",
            f"User={user}",
            f"WorkingDirectory={folder}/app",
            f"EnvironmentFile={folder}/worker.env",
            f'ExecStart="{folder}/venv/bin/python" -m worker',
            "Restart=always",
            "RestartSec=2",
            "[Install]",
            "WantedBy=multi-user.target",
            "",
        ]
    )


def _may_use_systemd() -> bool:
    """Systemd runs this machine, and we may write a unit."""
    if not Path("/run/systemd/system").is_dir():
        return False
    if os.geteuid() == 0:
        return True
    try:
        asked = subprocess.run(["sudo", "-n", "true"], capture_output=True, timeout=SHORT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0


def _comes_up(port: int) -> bool:
    deadline = time.monotonic() + UP_WITHIN_S
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as answer:
                if answer.status == 200:
                    return True
        except OSError:
            pass
        if time.monotonic() > deadline:
            return False
        time.sleep(0.25)


def _log() -> str:
    return LOG_FILE.read_text(encoding="utf-8", errors="replace") if LOG_FILE.exists() else ""


def _journal() -> str:
    command = [*_as_root(), "journalctl", "--no-pager", "--lines", "20", "--output", "cat", "--unit", UNIT]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, timeout=SHORT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return f"see journalctl --unit {UNIT}"
    return asked.stdout


def _run(
    command: list[str], deadline_s: float, *, settings: dict[str, str] | None = None, text: str = ""
) -> None:
    try:
        done = subprocess.run(
            command, cwd=BASE if not APP.exists() else APP, env={**os.environ, **(settings or {})}, input=text,
            capture_output=True, text=True, timeout=deadline_s, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise StepFailed(f"{command[0]} did not end within {deadline_s:.0f} s") from None
    except OSError as error:
        raise StepFailed(f"{command[0]} cannot be run: {error}") from None
    if done.returncode != 0:
        told = (done.stderr or done.stdout).strip()[-TOLD_MOST:]
        raise StepFailed(f"{Path(command[0]).name} ended with {done.returncode}: {told}")


def _quoted(text: str) -> str:
    """For systemd's EnvironmentFile."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


STEPS = {"probe": probe, "unpack": unpack, "install": install, "join": join, "start": start}


def main(arguments: list[str]) -> int:
    os.umask(0o077)
    try:
        answer = STEPS[arguments[0]](json.loads(sys.stdin.readline()))
    except (StepFailed, OSError, tarfile.TarError) as failed:
        sys.stderr.write(f"{failed}\n")
        return 1
    sys.stdout.write(json.dumps(answer) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
