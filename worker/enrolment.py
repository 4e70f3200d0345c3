"""How a worker becomes a node of Hoster, and how Hoster knows that it is still there.

Rules:
- The identity is stored before it is used; the join token is used once and kept nowhere.
- Failure policy: what Hoster does not answer is asked again for ever; a change is logged once, not every ten seconds.
"""

import asyncio
import json
import secrets
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import structlog

from shared.clock import Clock
from shared.config import Secret
from shared.signature import HEADER, Command, sign
from worker.capacity import Machine
from worker.config import JoinBy
from worker.durable_file import write_private

NODE_ID = "X-Node-ID"
JOIN_PATH = "/nodes/v1/join"
HEARTBEAT_PATH = "/nodes/v1/heartbeat"
HEARTBEAT_S = 10.0
RETRY_S = 2.0
CALL_DEADLINE_S = 10.0
CAPABILITIES = ("docker", "mesh")

log = structlog.get_logger("enrolment")


class JoinRefused(Exception):
    """Hoster does not accept the join token; a new one is needed."""


class HosterUnreachable(Exception):
    """Hoster does not answer, or not as Hoster would."""


class IdentityUnreadable(Exception):
    """The stored identity is damaged; remove the file to join anew."""


@dataclass(frozen=True, slots=True)
class NodeIdentity:
    node_id: str
    secret: Secret
    hoster_url: str


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What Hoster is told of this machine. `address` is the worker's management URL."""

    name: str
    address: str
    version: str


def load_identity(folder: Path) -> NodeIdentity | None:
    """None before the worker has joined. Blocking. Raises IdentityUnreadable."""
    path = folder / "identity.json"
    try:
        stored = json.loads(path.read_bytes())
        return NodeIdentity(stored["node_id"], Secret(stored["secret"].encode()), stored["hoster_url"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise IdentityUnreadable(f"{path} is damaged; remove it to join anew") from error


def save_identity(folder: Path, identity: NodeIdentity) -> None:
    """Mode 0600, durable. Blocking."""
    stored = {
        "node_id": identity.node_id,
        "secret": identity.secret.reveal().decode(),
        "hoster_url": identity.hoster_url,
    }
    write_private(folder / "identity.json", json.dumps(stored).encode())


async def join(
    session: aiohttp.ClientSession, by: JoinBy, facts: NodeFacts, machine: Machine
) -> NodeIdentity:
    """Raises JoinRefused, HosterUnreachable."""
    body = {
        "token": by.token.reveal().decode(),
        "name": facts.name,
        "address": facts.address,
        "version": facts.version,
        "capacity": (await asyncio.to_thread(machine.capacity)).to_json(),
        "capabilities": list(CAPABILITIES),
    }
    status, answer = await _post(session, by.hoster_url + JOIN_PATH, json.dumps(body).encode(), {})
    if status in {401, 403}:
        raise JoinRefused(JoinRefused.__doc__)
    if status != 201 or not {"node_id", "secret"} <= answer.keys():
        raise HosterUnreachable(f"{JOIN_PATH} answered {status} {answer.get('code', '')}".rstrip())
    return NodeIdentity(str(answer["node_id"]), Secret(str(answer["secret"]).encode()), by.hoster_url)


async def join_patiently(attempt: Callable[[], Awaitable[NodeIdentity]]) -> NodeIdentity:
    """Until Hoster answers; a refused token is asked again too, because Hoster may not know it yet."""
    told = ""
    while True:
        try:
            return await attempt()
        except (JoinRefused, HosterUnreachable) as error:
            if str(error) != told:
                told = str(error)
                log.warning("join_waits", reason=told)
        await asyncio.sleep(RETRY_S)


class Heartbeat:
    """`is_engine_up` tells whether the container engine answers."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        machine: Machine,
        version: str,
        clock: Clock,
        is_engine_up: Callable[[], bool],
    ) -> None:
        self._session = session
        self._machine = machine
        self._version = version
        self._clock = clock
        self._is_engine_up = is_engine_up
        self._told: str | None = None

    async def beat_forever(self, identity: NodeIdentity, hoster_url: str) -> None:
        while True:
            self._tell(await self._beat(identity, hoster_url))
            await asyncio.sleep(HEARTBEAT_S)

    async def _beat(self, identity: NodeIdentity, hoster_url: str) -> str:
        """What went wrong, in words; empty when nothing did."""
        body = json.dumps(
            {
                "version": self._version,
                "engine": "ok" if self._is_engine_up() else "unavailable",
                "capacity": (await asyncio.to_thread(self._machine.capacity)).to_json(),
                "used": (await asyncio.to_thread(self._machine.used)).to_json(),
            }
        ).encode()
        url = hoster_url + HEARTBEAT_PATH
        command = Command("POST", urlsplit(url).path, body)
        signature = sign(identity.secret.reveal(), command, int(self._clock.now()), secrets.token_urlsafe(18))
        try:
            status, _answer = await _post(
                self._session, url, body, {HEADER: signature, NODE_ID: identity.node_id}
            )
        except HosterUnreachable as error:
            return str(error)
        return "" if status == 200 else f"{HEARTBEAT_PATH} answered {status}"

    def _tell(self, fault: str) -> None:
        if fault == self._told:
            return
        if fault:
            log.warning("heartbeat_fails", reason=fault)
        else:
            log.info("heartbeat_accepted")
        self._told = fault


def local_address_towards(url: str) -> str:
    """The address of this machine that packets to `url`'s host leave from; nothing is sent. Blocking (name look-up)."""
    parts = urlsplit(url)
    host, port = parts.hostname or "localhost", parts.port or (443 if parts.scheme == "https" else 80)
    family, kind, protocol, _name, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.connect(address)
        found = str(probe.getsockname()[0])
    return f"[{found}]" if ":" in found else found


async def _post(
    session: aiohttp.ClientSession, url: str, body: bytes, headers: dict[str, str]
) -> tuple[int, dict[str, Any]]:
    headers = {"Content-Type": "application/json", **headers}
    try:
        async with (
            asyncio.timeout(CALL_DEADLINE_S),
            session.post(url, data=body, headers=headers, allow_redirects=False) as response,
        ):
            text = await response.read()
            answer = json.loads(text) if text else {}
            return response.status, answer if isinstance(answer, dict) else {}
    except TimeoutError as error:
        raise HosterUnreachable(f"no answer within {CALL_DEADLINE_S:.0f} s") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise HosterUnreachable(f"Hoster does not answer: {type(error).__name__}") from error
