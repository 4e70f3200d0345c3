"""A gateway process for tests that speak to it byte by byte, and the people who use it."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.accounts.cli import change_user
from gateway.accounts.users import UserChange
from tests.free_ports import free_port

REPOSITORY = Path(__file__).parents[3]
PASSWORD = "correct horse battery"


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    fields: Mapping[str, str]
    body: bytes

    @property
    def problem(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Stage:
    port: int
    data_dir: Path
    process: subprocess.Popen[bytes]
    log: Path

    def say(self, data: bytes) -> Reply:
        """One request as it goes on the wire, and its answer."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as client:
            client.sendall(data)
            return _reply(client)

    def ask(self, method: str, target: str, *fields: str, body: bytes = b"") -> Reply:
        lines = [f"{method} {target} HTTP/1.1", "Host: gate.example", f"Content-Length: {len(body)}", *fields]
        return self.say("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def post(self, target: str, body: object, *fields: str) -> Reply:
        return self.ask("POST", target, *fields, body=json.dumps(body).encode())

    def sign_up(self, name: str) -> str:
        """The token of a new user."""
        reply = self.post("/mod/auth/register", {"email": f"{name}@example.org", "password": PASSWORD})
        assert reply.status == 201, reply.body
        return str(reply.problem["token"])

    def change(self, name: str, change: UserChange) -> None:
        """From outside, as the operator does it."""
        asyncio.run(change_user(self.data_dir, f"{name}@example.org", change))


def bearer(token: str) -> str:
    return f"Authorization: Bearer {token}"


@contextmanager
def running_stage(folder: Path, routes: str, **variables: str) -> Iterator[Stage]:
    folder.mkdir(exist_ok=True)
    (folder / "routes.yaml").write_text(routes)
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "GATEWAY_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "GATEWAY_ROUTES": str(folder / "routes.yaml"),
        "GATEWAY_DATA_DIR": str(folder / "data"),
        "IDENTITY_SECRET": "a-secret-for-tests-of-at-least-32-bytes",
        **variables,
    }
    log = folder / "gateway.log"
    with log.open("wb") as writer:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway"], cwd=REPOSITORY, env=environment, stderr=writer
        )
    try:
        stage = Stage(port, folder / "data", process, log)
        _until_healthy(stage)
        yield stage
    finally:
        process.terminate()
        process.wait(40)


def _until_healthy(stage: Stage) -> None:
    deadline = time.monotonic() + 60
    while True:
        assert stage.process.poll() is None, stage.log.read_text()
        assert time.monotonic() < deadline, stage.log.read_text()
        try:
            if stage.ask("GET", "/health").status == 200:
                return
        except OSError:
            time.sleep(0.05)


def _reply(client: socket.socket) -> Reply:
    received = b""
    while b"\r\n\r\n" not in received:
        data = client.recv(65536)
        assert data, f"closed after {received!r}"
        received += data
    head, body = received.split(b"\r\n\r\n", 1)
    status_line, *lines = head.decode("latin-1").split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(fields.get("content-length", "0")):
        data = client.recv(65536)
        assert data, "the body broke off"
        body += data
    return Reply(int(status_line.split(" ")[1]), fields, body)
