"""A relay in a process of its own, so that its memory is its own too.

`python -m tests.bench.relay_process PORT...` serves before these ports of loopback and says where, as its first line.
"""

import asyncio
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

from shared.clock import SystemClock
from shared.ids import request_ids
from shared.relay.director import (
    FaultKind,
    Field,
    Forward,
    OngoingAnswer,
    Outcome,
    RequestHead,
    Respond,
    ResponseHead,
    Target,
    UpstreamSpec,
)
from shared.relay.server import Relay
from tests.bench.table import line
from tests.servers.relay_under_test import loopback_listener

MIB = 1 << 20
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class RelayProcess:
    pid: int
    port: int

    @property
    def resident(self) -> int:
        """Bytes of memory in use now."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * _PAGE

    def forget_peak(self) -> None:
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    @property
    def peak(self) -> int:
        """The most bytes in use since `forget_peak`."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024

    @property
    def open_files(self) -> int:
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))


@contextmanager
def relay_process(*origin_ports: int) -> Iterator[RelayProcess]:
    command = [sys.executable, "-m", "tests.bench.relay_process", *map(str, origin_ports)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield RelayProcess(process.pid, int(process.stdout.readline()))
    finally:
        process.terminate()
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()


def wait_until(condition: Callable[[], bool], seconds: float) -> float:
    """How long it took. Raises AssertionError when it takes longer than `seconds`."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, "it did not happen in time"
        time.sleep(0.01)
    return time.monotonic() - started


def raise_file_limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class _Unrecorded:
    def response_fields(self, head: ResponseHead) -> Sequence[Field]:
        return head.fields

    def fault_fields(self) -> Sequence[Field]:
        return ()

    def goes_on(self, answer: OngoingAnswer) -> None:
        """Nobody cuts it."""

    def finished(self, outcome: Outcome) -> None:
        """Nobody asks for it."""


@dataclass(slots=True)
class _ForwardAll:
    upstream: UpstreamSpec
    exchange: _Unrecorded = field(default_factory=_Unrecorded)

    def direct(self, head: RequestHead) -> Forward:
        return Forward(self.upstream, head.target, head.host, head.fields, self.exchange, None)

    def fault(self, kind: FaultKind, status: int, detail: str, request_id: str) -> Respond:
        return Respond(status, [(b"Content-Type", b"text/plain")], f"{kind}: {detail}".encode())


async def _serve(origin_ports: Sequence[int]) -> None:
    clock = SystemClock()
    spec = UpstreamSpec(name="origin", targets=tuple(Target("127.0.0.1", port) for port in origin_ports))
    relay = Relay(_ForwardAll(spec), clock=clock, new_request_id=request_ids(clock))
    listener = loopback_listener()
    await relay.serve(listener)
    line(str(listener.getsockname()[1]))
    await asyncio.Event().wait()


if __name__ == "__main__":
    raise_file_limit()
    uvloop.run(_serve([int(port) for port in sys.argv[1:]]))
