"""One SSH connection to a machine: its host key first, then files by SFTP and commands as argument lists.

Rules:
- Nobody logs in before the host key is the given or pinned one.
- A command is an argument list of constants, quoted as a whole; everything else goes by standard input.
- Nothing of this host's own SSH set-up is used: no configuration, agent, known hosts or keys.
"""

import asyncio
import shlex
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncssh

from hoster.nodes.bootstrap.model import Machine
from hoster.ssh_keys.key_pair import fingerprint

CONNECT_DEADLINE_S = 15.0
KEEPALIVE_S = 15.0
OUTPUT_MOST = 16_384


class MachineUnreachable(Exception):
    """No SSH server answers there, or not any more."""


class ConnectionLost(MachineUnreachable):
    """The machine was reached, and is not any more: how far what was begun there came is not known."""

    def __init__(self) -> None:
        super().__init__("The connection to the machine was lost.")


class HostKeyDiffers(Exception):
    """The machine shows another key than the one that was given or pinned: somebody may sit in between."""


class LoginRefused(Exception):
    """The machine does not let this user in with this key."""


class CommandFailed(Exception):
    """A command on the machine ended badly, or not in time; the message has its last words."""


@dataclass(frozen=True, slots=True)
class HostKey:
    """`line` is `type base64`. `first_seen`: nobody has vouched for it but the machine itself."""

    line: str
    first_seen: bool


async def settle_host_key(machine: Machine) -> HostKey:
    """The key to insist on from now on. Raises MachineUnreachable or HostKeyDiffers."""
    wanted = machine.host_key
    if wanted is not None and not wanted.startswith("SHA256:"):
        return HostKey(wanted, first_seen=False)
    shown = await _shown_key(machine)
    if wanted is not None and fingerprint(shown) != wanted:
        raise HostKeyDiffers(f"The machine shows the host key {fingerprint(shown)}, not {wanted}.")
    return HostKey(shown, first_seen=wanted is None)


async def _shown_key(machine: Machine) -> str:
    try:
        async with asyncio.timeout(CONNECT_DEADLINE_S):
            key = await asyncssh.get_server_host_key(machine.host, machine.port, config=None)
    except (OSError, asyncssh.Error, TimeoutError) as error:
        raise _unreachable(machine, error) from error
    if key is None:
        raise MachineUnreachable(f"{machine.host} port {machine.port} shows no host key.")
    return " ".join(key.export_public_key("openssh").decode().split()[:2])


class Session:
    """What is done in it may be repeated after ConnectionLost."""

    def __init__(self, connection: asyncssh.SSHClientConnection, sftp: asyncssh.SFTPClient) -> None:
        self._connection = connection
        self._sftp = sftp

    async def put(self, path: str, content: bytes, deadline_s: float) -> None:
        """Whole, mode 0600. `path` is relative to the user's home. Raises CommandFailed or ConnectionLost."""
        try:
            async with asyncio.timeout(deadline_s):
                attributes = asyncssh.SFTPAttrs(permissions=0o600)
                async with self._sftp.open(path, "wb", attributes) as file:
                    await file.write(content)
        except (asyncssh.Error, OSError, TimeoutError) as error:
            raise self._failure(f"{path} could not be sent: {_why(error)}", error) from error

    async def make_folder(self, path: str) -> None:
        try:
            async with asyncio.timeout(CONNECT_DEADLINE_S):
                await self._sftp.makedirs(path, asyncssh.SFTPAttrs(permissions=0o700), exist_ok=True)
        except (asyncssh.Error, OSError, TimeoutError) as error:
            raise self._failure(f"{path} could not be made: {_why(error)}", error) from error

    async def run(self, arguments: Sequence[str], text: str, deadline_s: float) -> str:
        """Standard output of a command that ended with 0. Raises CommandFailed or ConnectionLost."""
        try:
            done = await self._connection.run(
                shlex.join(arguments),
                input=text,
                encoding="utf-8",
                errors="replace",
                check=False,
                timeout=deadline_s,
            )
        except (asyncssh.Error, OSError, TimeoutError) as error:
            raise self._failure(f"It did not end: {_why(error)}", error) from error
        if done.exit_status is None and done.exit_signal is None:
            raise ConnectionLost
        if done.exit_status != 0:
            told = str(done.stderr or done.stdout or "").strip()[-OUTPUT_MOST:]
            raise CommandFailed(told or f"it ended with {done.exit_status}")
        return str(done.stdout)[:OUTPUT_MOST]

    def _failure(self, message: str, error: Exception) -> CommandFailed | ConnectionLost:
        lost = isinstance(error, asyncssh.DisconnectError | asyncssh.SFTPConnectionLost | ConnectionError)
        return ConnectionLost() if lost else CommandFailed(message)


@asynccontextmanager
async def session(machine: Machine, host_key: str, private_key: str) -> AsyncIterator[Session]:
    """Raises MachineUnreachable, HostKeyDiffers or LoginRefused before the block."""
    trusted = asyncssh.import_public_key(host_key)
    try:
        async with asyncio.timeout(CONNECT_DEADLINE_S):
            connection = await asyncssh.connect(
                machine.host,
                machine.port,
                username=machine.user,
                client_keys=[asyncssh.import_private_key(private_key)],
                known_hosts=([trusted], [], []),
                config=None,
                agent_path=None,
                preferred_auth="publickey",
                keepalive_interval=KEEPALIVE_S,
            )
    except asyncssh.HostKeyNotVerifiable as error:
        raise HostKeyDiffers(
            f"The machine does not show the host key {fingerprint(host_key)} any more."
        ) from error
    except asyncssh.PermissionDenied as error:
        raise LoginRefused(f"{machine.host} does not let {machine.user} in with this key.") from error
    except (OSError, asyncssh.Error, TimeoutError) as error:
        raise _unreachable(machine, error) from error
    async with connection:
        try:
            async with asyncio.timeout(CONNECT_DEADLINE_S):
                sftp = await connection.start_sftp_client()
        except asyncssh.DisconnectError as error:
            raise ConnectionLost from error
        except (asyncssh.Error, TimeoutError) as error:
            raise CommandFailed(f"The machine offers no SFTP: {_why(error)}") from error
        async with sftp:
            yield Session(connection, sftp)


def _unreachable(machine: Machine, error: Exception) -> MachineUnreachable:
    return MachineUnreachable(f"{machine.host} port {machine.port} cannot be reached by SSH: {_why(error)}.")


def _why(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return (
        error.reason
        if isinstance(error, asyncssh.Error)
        else (getattr(error, "strerror", None) or type(error).__name__)
    )
