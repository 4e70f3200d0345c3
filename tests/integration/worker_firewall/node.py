"""The worker as a process on a machine of its own; commands come through that machine's loopback."""

import asyncio
import http.client
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from shared.signature import HEADER, Command, sign
from tests.servers.namespaces import Namespace

ROOT = Path(__file__).parents[3]
SECRET = "0123456789abcdef0123456789abcdef"
PORT, MESH_PORT = 8081, 8090


class Node:
    """No engine: what is tested is who reaches the machine."""

    def __init__(self, machine: Namespace, folder: Path) -> None:
        self.machine = machine
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def instance(self) -> str:
        return (self._folder / "data" / "instance").read_text()

    @property
    def table(self) -> str:
        return f"plane_{self.instance[2:10]}"

    async def start(self, **variables: str) -> None:
        environment = {
            **os.environ,
            "WORKER_SECRET": SECRET,
            "WORKER_DATA_DIR": str(self._folder / "data"),
            "WORKER_HOST": "::",
            "MESH_HOST": "::",
            "DOCKER_HOST": f"unix://{self._folder}/no-engine.sock",
            "JWKS_URL": "http://127.0.0.1:1/none",
            **variables,
        }
        command = [
            str(shutil.which("ip")),
            "netns",
            "exec",
            self.machine.name,
            sys.executable,
            "-m",
            "worker",
        ]
        with (self._folder / "agent.log").open("ab") as log:
            self._process = await asyncio.to_thread(
                subprocess.Popen, command, cwd=ROOT, env=environment, stderr=log
            )
        async with asyncio.timeout(30):
            while not await asyncio.to_thread(self._answers):
                assert self._process.poll() is None, self.log()
                await asyncio.sleep(0.1)

    def evacuate(self) -> str:
        """What the command says; on the engine of the machine that runs the tests, where this worker has nothing."""
        environment = {**os.environ, "WORKER_DATA_DIR": str(self._folder / "data")}
        command = ["ip", "netns", "exec", self.machine.name, sys.executable, "-m", "worker", "evacuate"]
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def log(self) -> str:
        return (self._folder / "agent.log").read_text()

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)

    def remove(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def ruleset(self) -> str:
        return self.machine.exec("nft", "list", "ruleset")

    async def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        return await asyncio.to_thread(self._call, method, path, body)

    async def configure(self, **body: Any) -> dict[str, Any]:
        status, answer = await self.call("POST", "/firewall/configure", body)
        assert status == 200, answer
        return dict(answer)

    def _call(self, method: str, path: str, body: object) -> tuple[int, Any]:
        octets = b"" if body is None else json.dumps(body).encode()
        now = int(time.time())  # noqa: TID251 - the worker's clock is the machine's
        signature = sign(SECRET.encode(), Command(method, path, octets), now, secrets.token_urlsafe(16))
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=20)
        connection.sock = self.machine.connect("127.0.0.1", PORT)
        connection.sock.settimeout(20)
        try:
            connection.request(method, path, octets, {HEADER: signature})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def _answers(self) -> bool:
        try:
            with self.machine.connect("127.0.0.1", PORT):
                return True
        except OSError:
            return False
