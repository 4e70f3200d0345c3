"""One commit out of a git repository, by the git program.

Rules:
- Argument lists only, and no configuration but ours: no hooks, no submodules, no helpers, no prompts, no redirects to other hosts.
- The host is looked up once; git (and ssh) connect to that very address and still verify the name.
- A deploy key is in a private file for the time of the fetch. The first host key seen is kept for the project, and must not change.
"""

import asyncio
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from shared.durable_file import write_private
from shared.source_address import SourceAddress, checked_git_url
from worker.sources.errors import SourceFailed
from worker.sources.process import Ended, check_size, run
from worker.sources.resolution import resolved

FETCH_DEADLINE_S = 300.0
CHECKOUT_DEADLINE_S = 120.0

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.symlinks=true",
    "credential.helper=",
    "http.followRedirects=false",
    "http.proxy=",
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=60",
    "submodule.recurse=false",
    "gc.auto=0",
    "init.defaultBranch=main",
    "advice.detachedHead=false",
)


class GitFetcher:
    """`known_hosts` is the folder with one file for each project."""

    def __init__(self, known_hosts: Path, *, allow_local: bool) -> None:
        self._known_hosts = known_hosts
        self._allow_local = allow_local

    async def fetch(self, url: str, ref: str, key: str | None, project_id: str, folder: Path) -> str:
        """Fills `folder`, which is new, with the files of `ref`; the id of the commit. Raises SourceFailed."""
        address = checked_git_url(url)
        if not self._allow_local and address.scheme in {"http", "file"}:
            raise SourceFailed("Only https and ssh are permitted for git.")
        private = folder.with_name(folder.name + ".git-home")
        await asyncio.to_thread(private.mkdir, mode=0o700)
        await asyncio.to_thread(folder.mkdir)
        settings = list(_SETTINGS)
        environment = self._environment(private)
        if address.scheme != "file":
            target = await resolved(address, allow_local=self._allow_local)
            settings.append(f"http.curloptResolve={_curl_pin(address, target)}")
            environment["GIT_SSH_COMMAND"] = await self._ssh(address, target, key, project_id, private)
        git = ["git", *(word for setting in settings for word in ("-c", setting))]
        await self._run([*git, "init", "-q", "--template="], folder, environment, CHECKOUT_DEADLINE_S)
        fetch = ["fetch", "-q", "--depth=1", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head"]
        # A refspec of our own says where to find what was fetched, whatever it is called there.
        wanted = f"{ref or 'HEAD'}:refs/plane/wanted"
        await self._run([*git, *fetch, "--", address.url, wanted], folder, environment, FETCH_DEADLINE_S)
        checkout = ["checkout", "-q", "--detach", "refs/plane/wanted"]
        await self._run([*git, *checkout], folder, environment, CHECKOUT_DEADLINE_S)
        await asyncio.to_thread(check_size, folder)
        ended = await self._run([*git, "rev-parse", "HEAD"], folder, environment, CHECKOUT_DEADLINE_S)
        commit = ended.said[-1] if ended.said else ""
        if _COMMIT.fullmatch(commit) is None:
            raise SourceFailed("git did not name a commit", ended.said)
        return commit

    def forget(self, project_id: str) -> None:
        """The host keys of a project that is gone. Blocking."""
        (self._known_hosts / project_id).unlink(missing_ok=True)

    async def _run(
        self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str], deadline_s: float
    ) -> Ended:
        try:
            ended = await run(arguments, folder, environment, deadline_s)
        except FileNotFoundError as error:
            raise SourceFailed("git is not installed on this node") from error
        if ended.status != 0:
            reason = ended.said[-1] if ended.said else f"exit code {ended.status}"
            raise SourceFailed(f"git could not fetch the source: {reason}", ended.said)
        return ended

    def _environment(self, private: Path) -> dict[str, str]:
        protocols = "https:ssh:http:file" if self._allow_local else "https:ssh"
        return {
            "PATH": os.defpath,
            "HOME": str(private),
            "LC_ALL": "C",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "/bin/false",
            "SSH_ASKPASS": "/bin/false",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_ALLOW_PROTOCOL": protocols,
            "GIT_PROTOCOL_FROM_USER": "0",
            "GIT_LFS_SKIP_SMUDGE": "1",
            "GIT_SSH_VARIANT": "ssh",
        }

    async def _ssh(
        self, address: SourceAddress, target: str, key: str | None, project_id: str, private: Path
    ) -> str:
        """Git hands this to a shell, hence the quoting; the words are ours and an address."""
        await asyncio.to_thread(self._known_hosts.mkdir, mode=0o700, parents=True, exist_ok=True)
        options = [
            f"HostName={target}",
            f"HostKeyAlias={address.host}",
            f"UserKnownHostsFile={self._known_hosts / project_id}",
            "GlobalKnownHostsFile=/dev/null",
            "StrictHostKeyChecking=accept-new",
            "BatchMode=yes",
            "IdentitiesOnly=yes",
            "ConnectTimeout=15",
            "ProxyCommand=none",
            "ForwardAgent=no",
        ]
        command = ["ssh", "-F", "/dev/null", *(word for option in options for word in ("-o", option))]
        if key is not None:
            file = private / "deploy_key"
            await asyncio.to_thread(write_private, file, key.encode())
            command += ["-i", str(file)]
        return shlex.join(command)


def _curl_pin(address: SourceAddress, target: str) -> str:
    shown = f"[{target}]" if ":" in target else target
    return f"{address.host}:{address.port}:{shown}"
