"""How a worker becomes a node of Hoster: a token used once, and an identity that is stored before it is used.

The worker proposes its secret, and stores the proposal before it asks: so an answer that was lost, on the way or in a crash, can be had again.
"""

import asyncio
import hashlib
import json
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from shared.config import Secret
from shared.durable_file import write_private
from worker.config import JoinBy

JOIN_PATH = "/nodes/v1/join"
CALL_DEADLINE_S = 10.0
CAPABILITIES = ("docker", "mesh")

_IDENTITY = "identity.json"
_PROPOSAL = "joining.json"


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
    capacity: Mapping[str, float]


def load_identity(folder: Path) -> NodeIdentity | None:
    """None before the worker has joined. Blocking. Raises IdentityUnreadable."""
    path = folder / _IDENTITY
    try:
        stored = json.loads(path.read_bytes())
        return NodeIdentity(stored["node_id"], Secret(stored["secret"].encode()), stored["hoster_url"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise IdentityUnreadable(f"{path} is damaged; remove it to join anew") from error


def proposed_secret(folder: Path, token: Secret) -> Secret:
    """The same for the same token, until an identity is saved. Mode 0600, durable. Blocking."""
    path, mark = folder / _PROPOSAL, hashlib.sha256(token.reveal()).hexdigest()
    if path.exists():
        stored = json.loads(path.read_bytes())
        if stored["token_sha256"] == mark:
            return Secret(stored["secret"].encode())
    secret = secrets.token_hex(32)
    write_private(path, json.dumps({"token_sha256": mark, "secret": secret}).encode())
    return Secret(secret.encode())


def save_identity(folder: Path, identity: NodeIdentity) -> None:
    """Mode 0600, durable; the proposal has served. Blocking."""
    stored = {
        "node_id": identity.node_id,
        "secret": identity.secret.reveal().decode(),
        "hoster_url": identity.hoster_url,
    }
    write_private(folder / _IDENTITY, json.dumps(stored).encode())
    (folder / _PROPOSAL).unlink(missing_ok=True)


async def join(
    session: aiohttp.ClientSession, by: JoinBy, proposal: Secret, facts: NodeFacts
) -> NodeIdentity:
    """The secret is the one that Hoster answers, which is `proposal` if Hoster knows of proposals. Raises JoinRefused, HosterUnreachable."""
    body = {
        "token": by.token.reveal().decode(),
        "secret": proposal.reveal().decode(),
        "name": facts.name,
        "address": facts.address,
        "version": facts.version,
        "capacity": facts.capacity,
        "capabilities": list(CAPABILITIES),
    }
    status, answer = await post(session, by.hoster_url + JOIN_PATH, json.dumps(body).encode(), {})
    if status in {401, 403}:
        raise JoinRefused(JoinRefused.__doc__)
    if status != 201 or not {"node_id", "secret"} <= answer.keys():
        raise HosterUnreachable(f"{JOIN_PATH} answered {status} {answer.get('code', '')}".rstrip())
    return NodeIdentity(str(answer["node_id"]), Secret(str(answer["secret"]).encode()), by.hoster_url)


def local_address_towards(url: str) -> str:
    """The address of this machine that packets to `url`'s host leave from; nothing is sent. Blocking (name look-up)."""
    parts = urlsplit(url)
    host, port = parts.hostname or "localhost", parts.port or (443 if parts.scheme == "https" else 80)
    family, kind, protocol, _name, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.connect(address)
        found = str(probe.getsockname()[0])
    return f"[{found}]" if ":" in found else found


async def post(
    session: aiohttp.ClientSession, url: str, body: bytes, headers: Mapping[str, str]
) -> tuple[int, dict[str, Any]]:
    """Status and JSON members of Hoster's answer; raises HosterUnreachable."""
    sent = {"Content-Type": "application/json", **headers}
    try:
        async with (
            asyncio.timeout(CALL_DEADLINE_S),
            session.post(url, data=body, headers=sent, allow_redirects=False) as response,
        ):
            text = await response.read()
            answer = json.loads(text) if text else {}
            return response.status, answer if isinstance(answer, dict) else {}
    except TimeoutError as error:
        raise HosterUnreachable(f"no answer within {CALL_DEADLINE_S:.0f} s") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise HosterUnreachable(f"Hoster does not answer: {type(error).__name__}") from error
