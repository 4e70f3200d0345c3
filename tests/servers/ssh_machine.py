"""A machine to log in to: a real sshd on loopback with its own keys, configuration and home folder."""

import os
import pwd
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.free_ports import free_port

SFTP_SERVER = "/usr/lib/openssh/sftp-server"


def keygen(file: Path) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(file)], check=True)
    return file


def public_line(file: Path) -> str:
    return " ".join(file.with_suffix(".pub").read_text(encoding="utf-8").split()[:2])


class SshMachine:
    """Lets `user` in with `private_key`. What is done there is done in `home`, with `path` as PATH. `within` is a command that runs
    another one in surroundings of its own.
    """

    def __init__(self, folder: Path, path: str = os.environ["PATH"], within: Sequence[str] = ()) -> None:
        self.folder = folder
        self._within = within
        self.home = folder / "home"
        self.home.mkdir(parents=True)
        self.user = pwd.getpwuid(os.geteuid()).pw_name
        self.private_key = self._keygen("login").read_text(encoding="utf-8")
        self.host_key = public_line(self._keygen("host"))
        self.port = free_port()
        login = folder / "login.sh"
        login.write_text(
            f'#!/bin/sh\ncd "{self.home}" && export HOME="{self.home}" PATH="{path}" && exec sh -c "$SSH_ORIGINAL_COMMAND"\n',
            encoding="utf-8",
        )
        login.chmod(0o755)
        self._process: subprocess.Popen[bytes] | None = None

    def _keygen(self, name: str) -> Path:
        return keygen(self.folder / name)

    def __enter__(self) -> Self:
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        settings = {
            "Port": self.port, "ListenAddress": "127.0.0.1", "HostKey": self.folder / "host", "PidFile": "none",
            "AuthorizedKeysFile": self.folder / "login.pub", "StrictModes": "no", "UsePAM": "no",
            "PasswordAuthentication": "no", "PermitRootLogin": "prohibit-password", "Subsystem": f"sftp {SFTP_SERVER}",
            "ForceCommand": self.folder / "login.sh",
        }  # fmt: skip
        config = self.folder / "sshd_config"
        config.write_text("".join(f"{name} {text}\n" for name, text in settings.items()), encoding="utf-8")
        log = (self.folder / "sshd.log").open("wb")
        self._process = subprocess.Popen(
            [*self._within, "/usr/sbin/sshd", "-D", "-e", "-f", str(config)], stderr=log
        )
        log.close()
        deadline = time.monotonic() + 30
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            assert time.monotonic() < deadline, "sshd did not come up"
            time.sleep(0.05)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
