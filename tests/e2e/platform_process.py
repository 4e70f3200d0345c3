"""`make run`'s program as a process of the test's own, on free ports, with its own data directory."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.free_ports import free_port

ROOT = Path(__file__).resolve().parents[2]
READY = "The platform is ready"
PORTS = ("GATEWAY_PORT", "HOSTER_PORT", "WORKER_PORT", "MESH_PORT")


@dataclass
class PlatformProcess:
    process: "subprocess.Popen[str]"
    ports: dict[str, int]
    data: Path
    lines: list[str] = field(default_factory=list)
    hung_up: threading.Event = field(default_factory=threading.Event)
    """Once it is set, the next line is the last one that is listened to."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports['GATEWAY_PORT']}"

    def wait_until_ready(self, timeout_s: float = 90.0) -> None:
        deadline = time.monotonic() + timeout_s
        while not any(READY in line for line in self.lines):
            assert self.process.poll() is None, f"the platform ended:\n{self.tail()}"
            assert time.monotonic() < deadline, f"the platform is not ready:\n{self.tail()}"
            time.sleep(0.05)

    def stop(self, number: int = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)

    def tail(self) -> str:
        return "\n".join(self.lines[-60:])


@contextmanager
def platform(data: Path, **settings: str) -> Iterator[PlatformProcess]:
    """Started, not yet ready; killed at the end if the test did not stop it."""
    ports = {name: free_port() for name in PORTS}
    environment = {
        **os.environ,
        "PLATFORM_DATA_DIR": str(data),
        # The ruleset of the machine that runs the tests is its own; `tests.bench.worker_crashes` has this on.
        "WORKER_ISOLATE_HOST": "0",
        **{name: str(port) for name, port in ports.items()},
        **settings,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "deploy.local"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    running = PlatformProcess(process, ports, data)
    reader = threading.Thread(target=_collect, args=(running,), daemon=True)
    reader.start()
    try:
        yield running
    finally:
        if process.poll() is None:
            running.stop(signal.SIGTERM)
        reader.join(5)


def _collect(running: PlatformProcess) -> None:
    assert running.process.stdout is not None
    with running.process.stdout as lines:
        for line in lines:
            # One by one, as they come: others read the list meanwhile.
            running.lines.append(line.rstrip("\n"))
            if running.hung_up.is_set():
                return
