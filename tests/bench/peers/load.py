"""wrk as the client: closed loop, keep-alive, one thread."""

import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from tests.bench.peers.process_cost import cpu_time, resident_bytes
from tests.bench.table import line

CONNECTIONS = 32
_TRIES = 3
Found = TypeVar("Found")
_UNITS_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


class LoadFailed(Exception):
    """Not every answer was a good one, so the figures would mean nothing."""


@dataclass(frozen=True, slots=True)
class Figures:
    """`cpu_us` is processor time of the gateway's own processes for each request; of it `kernel_us` inside the kernel."""

    requests_per_s: float
    cpu_us: float
    kernel_us: float
    p50_ms: float
    p99_ms: float
    resident_mb: float


def measure(
    url: str, headers: Mapping[str, str], pid: int, seconds: int, script: Sequence[str] = ()
) -> Figures:
    """`script` is a Lua script for wrk and its arguments. Raises LoadFailed."""
    return persistently(partial(_measure, url, headers, pid, seconds, script))


def persistently(load: Callable[[], Found]) -> Found:
    """A load with failed answers is no measurement and is repeated, which is said. Raises LoadFailed when all tries were so."""
    for _ in range(_TRIES - 1):
        try:
            return load()
        except LoadFailed as failed:
            line(f"  a load is repeated: {failed}")
    return load()


def _measure(url: str, headers: Mapping[str, str], pid: int, seconds: int, script: Sequence[str]) -> Figures:
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", "--timeout", "10s"]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    if script:
        command += ["-s", script[0]]
    command += [url, "--", *script[1:]]
    before = cpu_time(pid)
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30, check=True)
    after = cpu_time(pid)
    said = done.stdout
    requests = int(_found(r"(\d+) requests in", said))
    wrong = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    if "Socket errors" in said or (wrong is not None and int(wrong[1]) > requests // 200):
        faults = re.findall(r"(?:Non-2xx|Socket errors).*", said)
        raise LoadFailed(f"{url}: {requests} requests, {'; '.join(faults)}")
    return Figures(
        requests_per_s=float(_found(r"Requests/sec:\s+([\d.]+)", said)),
        cpu_us=(after.all_s - before.all_s) / requests * 1e6,
        kernel_us=(after.kernel_s - before.kernel_s) / requests * 1e6,
        p50_ms=_milliseconds(said, "50%"),
        p99_ms=_milliseconds(said, "99%"),
        resident_mb=resident_bytes(pid) / 1e6,
    )


def _milliseconds(said: str, percentile: str) -> float:
    number, unit = re.search(rf"{re.escape(percentile)}\s+([\d.]+)(us|ms|s)\b", said).groups()  # type: ignore[union-attr]
    return float(number) * _UNITS_MS[unit]


def _found(pattern: str, said: str) -> str:
    match = re.search(pattern, said)
    if match is None:
        raise LoadFailed(said)
    return match[1]
