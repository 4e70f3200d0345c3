"""Git repositories and their servers, of the tests' own."""

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from aiohttp import web

QUIET = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "PATH": os.environ["PATH"]}


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments],
        cwd=folder,
        env=QUIET,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return done.stdout.strip()


class Repository:
    """A bare repository beside a clone in which commits are made."""

    def __init__(self, folder: Path) -> None:
        self.bare = folder / "app.git"
        self._clone = folder / "clone"
        self.bare.mkdir(parents=True)
        git(self.bare, "init", "-q", "--bare", "--initial-branch=main")
        git(self.bare, "config", "uploadpack.allowReachableSHA1InWant", "true")
        git(folder, "clone", "-q", str(self.bare), str(self._clone))
        git(self._clone, "checkout", "-q", "-B", "main")

    @property
    def url(self) -> str:
        return f"file://{self.bare}"

    def commit(self, files: Mapping[str, str | None]) -> str:
        """The id of the commit; None removes a file."""
        for name, text in files.items():
            path = self._clone / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                path.unlink()
            else:
                path.write_text(text)
        git(self._clone, "add", "-A")
        git(self._clone, "commit", "-q", "--allow-empty", "-m", "change")
        git(self._clone, "push", "-q", "origin", "main")
        git(self.bare, "update-server-info")
        return git(self._clone, "rev-parse", "HEAD")

    def tag(self, name: str) -> None:
        git(self._clone, "tag", name)
        git(self._clone, "push", "-q", "origin", name)

    def link(self, name: str, target: str) -> None:
        (self._clone / name).symlink_to(target)


def smart_http(root: Path) -> web.Application:
    """git's own CGI program behind a small server."""

    async def answer(request: web.Request) -> web.Response:
        process = await asyncio.create_subprocess_exec(
            "git",
            "http-backend",
            env={
                **QUIET,
                "GIT_PROJECT_ROOT": str(root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": request.path,
                "QUERY_STRING": request.query_string,
                "REQUEST_METHOD": request.method,
                "CONTENT_TYPE": request.headers.get("Content-Type", ""),
                "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
                "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
            },
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        output, _none = await process.communicate(await request.read())
        head, _blank, body = output.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().splitlines())
        status = int(fields.pop("Status", "200").split(" ")[0])
        return web.Response(status=status, headers=fields, body=body)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    return app


@contextmanager
def ssh_server(folder: Path, port: int, public_key: str) -> Iterator[str]:
    """An OpenSSH server on loopback that lets one key in; where its log is."""
    folder.mkdir(mode=0o700)
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "host_key")],
        check=True,
        timeout=30,
    )
    (folder / "authorized").write_text(public_key)
    (folder / "config").write_text(
        f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {folder}/host_key\nPidFile none\nUsePAM no\n"
        f"AuthorizedKeysFile {folder}/authorized\nPasswordAuthentication no\nStrictModes no\nPermitRootLogin yes\n"
    )
    # sshd separates privileges below this folder, which a machine without a running sshd lacks.
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    log = folder / "log"
    sshd = shutil.which("sshd") or "/usr/sbin/sshd"
    process = subprocess.Popen([sshd, "-D", "-f", str(folder / "config"), "-E", str(log)])
    try:
        _until_it_listens(log)
        yield str(log)
    finally:
        process.terminate()
        process.wait(10)


def _until_it_listens(log: Path) -> None:
    deadline = time.monotonic() + 30
    while not log.exists() or "Server listening" not in log.read_text():
        assert time.monotonic() < deadline, "sshd did not come up"
        time.sleep(0.02)


def key_pair(folder: Path) -> tuple[str, str]:
    """Private and public."""
    file = folder / "key"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(file)], check=True, timeout=30
    )
    return file.read_text(), file.with_suffix(".pub").read_text()
