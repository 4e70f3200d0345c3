"""Being a node: joining when need be, then a heartbeat for as long as the worker runs."""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import structlog

from worker import VERSION
from worker.capacity import Machine
from worker.config import JoinBy
from worker.enrolment import (
    Heartbeat,
    HosterUnreachable,
    NodeFacts,
    NodeIdentity,
    join,
    join_patiently,
    local_address_towards,
    save_identity,
)

log = structlog.get_logger("node")


@dataclass(frozen=True, slots=True)
class Place:
    """Where this worker keeps its identity and is reached. `advertise_url` None: the address that leads to Hoster."""

    data_dir: Path
    port: int
    advertise_url: str | None


def facts_of(place: Place, hoster_url: str) -> NodeFacts:
    """Blocking (name look-up). Raises HosterUnreachable."""
    address = place.advertise_url
    if address is None:
        try:
            address = f"http://{local_address_towards(hoster_url)}:{place.port}"
        except OSError as error:
            raise HosterUnreachable(f"{hoster_url} has no address: {error.strerror}") from error
    return NodeFacts(socket.gethostname(), address, VERSION)


async def enrol(session: aiohttp.ClientSession, place: Place, by: JoinBy, machine: Machine) -> NodeIdentity:
    """Joins once, and stores the identity before it returns. Raises JoinRefused, HosterUnreachable."""
    facts = await asyncio.to_thread(facts_of, place, by.hoster_url)
    identity = await join(session, by, facts, machine)
    await asyncio.to_thread(save_identity, place.data_dir, identity)
    log.info("joined", node_id=identity.node_id, hoster=by.hoster_url)
    return identity


class Membership:
    """A background job. `on_joined` is told the identity before the first heartbeat."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        place: Place,
        machine: Machine,
        heartbeat: Heartbeat,
        on_joined: Callable[[NodeIdentity], None],
    ) -> None:
        self._session = session
        self._place = place
        self._machine = machine
        self._heartbeat = heartbeat
        self._on_joined = on_joined

    async def keep(self, identity: NodeIdentity | None, by: JoinBy | None, hoster_url: str | None) -> None:
        """For ever. `hoster_url` overrides where the identity came from. Without an identity or a token there is nothing to keep."""
        if identity is None and by is not None:
            identity = await join_patiently(lambda: enrol(self._session, self._place, by, self._machine))
            self._on_joined(identity)
        if identity is None:
            await asyncio.Event().wait()
            return
        await self._heartbeat.beat_forever(identity, hoster_url or identity.hoster_url)
