"""A network and a Docker Engine of the bench's own, so that an engine can be restarted which nobody else uses."""

import asyncio
import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CLONE_NEWNET = 0x40000000
_PATIENCE_S = 60.0


def leave_the_network() -> None:
    """From here on this process and its children have a network of their own. To be called before there is a thread."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET) != 0:
        raise SystemExit(f"a network of its own needs root: {os.strerror(ctypes.get_errno())}")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True, timeout=10)


class PrivateEngine:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.address = f"unix://{folder}/docker.sock"
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Returns when it answers."""
        command = [
            *("dockerd", "--host", self.address, "--data-root", f"{self._folder}/data"),
            *("--exec-root", f"{self._folder}/exec", "--pidfile", f"{self._folder}/docker.pid"),
        ]
        with (self._folder / "dockerd.log").open("ab") as log:
            self._process = await asyncio.to_thread(subprocess.Popen, command, stdout=log, stderr=log)
        async with asyncio.timeout(_PATIENCE_S):
            while not await asyncio.to_thread(self._answers):
                assert self._process.poll() is None, (self._folder / "dockerd.log").read_text()[-2000:]
                await asyncio.sleep(0.05)

    async def end(self, number: int = signal.SIGTERM) -> None:
        assert self._process is not None
        self._process.send_signal(number)
        await asyncio.to_thread(self._process.wait, 60)
        if number == signal.SIGKILL:
            # Its containerd dies with it, as an unreaped child where nobody reaps; the file would say that it lives.
            for stale in ("docker.pid", "exec/containerd/containerd.pid"):
                (self._folder / stale).unlink(missing_ok=True)

    def remove(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(60)
        self._end_what_is_left()
        self._unmount_what_is_left()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _end_what_is_left(self) -> None:
        """A killed engine leaves processes behind; they are known by this folder, which nobody else has."""
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if str(self._folder).encode() in (process / "cmdline").read_bytes():
                    os.kill(int(process.name), signal.SIGKILL)
            except (FileNotFoundError, ProcessLookupError):
                continue

    def _unmount_what_is_left(self) -> None:
        """Innermost first. A killed engine leaves its mounts behind too."""
        mounted = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
        for path in reversed(mounted):
            if path.startswith(f"{self._folder}/"):
                subprocess.run(["umount", "--lazy", path], check=True, timeout=10)

    def _answers(self) -> bool:
        command = ["docker", "--host", self.address, "version", "--format", "{{.Server.Version}}"]
        return subprocess.run(command, capture_output=True, timeout=30, check=False).returncode == 0


@contextmanager
def private_engine() -> Iterator[PrivateEngine]:
    """Not yet started; whatever it made goes at the end."""
    engine = PrivateEngine(Path(tempfile.mkdtemp(prefix="platform-engine-")))
    try:
        yield engine
    finally:
        engine.remove()
