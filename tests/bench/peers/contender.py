"""What takes part: a gateway that can do one or more of the lanes."""

import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from tests.free_ports import free_port

ANSWERS = {"small": 100, "large": 10 * 1024, "huge": 1024 * 1024}
"""Bytes by the last segment of the path."""

ECHOED = ("X-User-ID", "X-Org-ID", "X-Plan-ID", "X-Identity-Signature", "X-Plan-Limits", "Authorization")
"""The fields that `echo` tells, a line each: `X-User-ID=user_1`."""

_START_WITHIN_S = 60.0
_END_WITHIN_S = 35.0


class Lane(StrEnum):
    PLAIN = "plain proxy"
    IDENTITY = "JWT + identity headers"
    BILLING = "JWT + exact limits + usage event"


@dataclass(frozen=True, slots=True)
class Site:
    """What every contender is given. `folder` is its own."""

    folder: Path
    upstream_port: int
    redis_port: int


@dataclass(frozen=True, slots=True)
class Running:
    """`urls` by lane, without the path of the answer that is asked for; `pid` is the root of its processes.

    `user_id` is whose token is in `headers`; `counted` says how many requests its limits have counted, as its own books show.
    """

    pid: int
    urls: Mapping[Lane, str]
    headers: Mapping[Lane, Mapping[str, str]] = field(default_factory=dict)
    user_id: str = ""
    counted: Callable[[], int] | None = None


class Contender(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def leaves_out(self) -> Mapping[Lane, str]:
        """The lanes it can do, and what of each it does not do."""

    def running(self, site: Site) -> AbstractContextManager[Running]: ...


@contextmanager
def program(
    command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Iterator[int]:
    """A program for the length of a block; its pid."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment, cwd=cwd)
        try:
            yield process.pid
        finally:
            process.terminate()
            try:
                process.wait(_END_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for(port: int, log: Path) -> None:
    """Raises TimeoutError with what the program said."""
    deadline = time.monotonic() + _START_WITHIN_S
    while time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), 1.0):
                return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError(f"nothing listens on {port}: {log.read_text(errors='replace')[-2000:]}")


@contextmanager
def site() -> Iterator[Site]:
    """The upstream and a Redis. The upstream is nginx, one worker: fixed answers (`ANSWERS`), and `echo`, which tells what arrived."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="peers-")))
        folder.chmod(0o755)
        upstream_port, redis_port = free_port(), free_port()
        for name, size in ANSWERS.items():
            (folder / name).write_bytes(b"x" * size)
        echo = "".join(f"{name}=$http_{name.lower().replace('-', '_')}\\n" for name in ECHOED)
        (folder / "upstream.conf").write_text(_UPSTREAM.format(folder=folder, port=upstream_port, echo=echo))
        stack.enter_context(program(["nginx", "-c", str(folder / "upstream.conf")], folder / "upstream.log"))
        redis = [
            "redis-server",
            "--port",
            str(redis_port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--dir",
            str(folder),
        ]
        stack.enter_context(program(redis, folder / "redis.log"))
        wait_for(upstream_port, folder / "upstream.log")
        wait_for(redis_port, folder / "redis.log")
        yield Site(folder, upstream_port, redis_port)


def own_folder(site: Site, name: str) -> Site:
    folder = site.folder / name
    folder.mkdir(exist_ok=True)
    return Site(folder, site.upstream_port, site.redis_port)


_UPSTREAM = """
worker_processes 1; daemon off; pid {folder}/upstream.pid; error_log {folder}/upstream.err;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 100000000; open_file_cache max=16; sendfile on;
  server {{
    listen 127.0.0.1:{port} backlog=4096; root {folder}; default_type text/plain; etag off;
    rewrite ^/(?:.*/)?([^/]+)$ /$1 break;
    location = /echo {{ return 200 "{echo}"; }}
  }}
}}
"""
