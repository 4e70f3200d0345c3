"""Being a node: joining when need be, then a heartbeat for as long as the worker runs."""

import asyncio
import json
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import structlog

from shared.clock import Clock
from shared.signature import HEADER, Command, sign
from worker import VERSION
from worker.config import JoinBy
from worker.enrolment import (
    HosterUnreachable,
    JoinRefused,
    NodeFacts,
    NodeIdentity,
    join,
    local_address_towards,
    post,
    proposed_secret,
    save_identity,
)
from worker.runtime.engine_state import EngineState
from worker.stats.host_numbers import HostReading
from worker.stats.host_stats import read_host

NODE_ID = "X-Node-ID"
HEARTBEAT_PATH = "/nodes/v1/heartbeat"
HEARTBEAT_S = 10.0
RETRY_S = 0.5
FIRST_LOOK_S = HEARTBEAT_S
"""How long the first heartbeat waits for it to be known whether the engine answers: until then it would say that it does not."""

_MEGABYTE = 1024 * 1024

log = structlog.get_logger("node")


@dataclass(frozen=True, slots=True)
class Place:
    """Where this worker keeps its data and is reached. `advertise_url` None: the address that leads to Hoster."""

    data_dir: Path
    port: int
    advertise_url: str | None


async def enrol(session: aiohttp.ClientSession, place: Place, by: JoinBy) -> NodeIdentity:
    """Joins once, and stores the identity before it returns. May be tried again after anything. Raises JoinRefused, HosterUnreachable."""
    proposal = await asyncio.to_thread(proposed_secret, place.data_dir, by.token)
    facts = await asyncio.to_thread(_facts, place, by.hoster_url)
    identity = await join(session, by, proposal, facts)
    await asyncio.to_thread(save_identity, place.data_dir, identity)
    return identity


class Membership:
    """A background job. `on_joined` is told a new identity before the first heartbeat; a change of the engine's is told at once."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        place: Place,
        clock: Clock,
        *,
        on_joined: Callable[[NodeIdentity], None],
        engine: EngineState,
    ) -> None:
        self._session = session
        self._place = place
        self._clock = clock
        self._on_joined = on_joined
        self._engine = engine
        self._told: str | None = None

    async def keep(self, identity: NodeIdentity | None, by: JoinBy | None, hoster_url: str | None) -> None:
        """For ever. `hoster_url` overrides where the identity came from; without identity and token there is nothing to keep."""
        if identity is None and by is not None:
            identity = await self._join_patiently(by)
            self._on_joined(identity)
        if identity is None:
            await asyncio.Event().wait()
            return
        before = await asyncio.to_thread(_read, self._place.data_dir)
        await self._engine.change(FIRST_LOOK_S)
        while True:
            now = await asyncio.to_thread(_read, self._place.data_dir)
            self._tell(await self._beat(identity, hoster_url or identity.hoster_url, before, now))
            before = now
            await self._engine.change(HEARTBEAT_S)

    async def _join_patiently(self, by: JoinBy) -> NodeIdentity:
        """Until Hoster answers; a refused token is asked again too, because Hoster may not know it yet."""
        told = ""
        while True:
            try:
                identity = await enrol(self._session, self._place, by)
            except (JoinRefused, HosterUnreachable) as error:
                if str(error) != told:
                    told = str(error)
                    log.warning("join_waits", reason=told)
            else:
                log.info("joined", node_id=identity.node_id, hoster=by.hoster_url)
                return identity
            await asyncio.sleep(RETRY_S)

    async def _beat(
        self, identity: NodeIdentity, hoster_url: str, before: HostReading, now: HostReading
    ) -> str:
        """What went wrong, in words; empty when nothing did. The address is told each time: a node may have moved."""
        try:
            address = await asyncio.to_thread(_address, self._place, hoster_url)
        except HosterUnreachable as error:
            return str(error)
        members = {
            "version": VERSION,
            "address": address,
            "engine": "ok" if self._engine.up else "unavailable",
            "capacity": capacity_of(now),
            "used": used_between(before, now),
        }
        body = json.dumps(members).encode()
        url = hoster_url + HEARTBEAT_PATH
        command = Command("POST", urlsplit(url).path, body)
        nonce = secrets.token_urlsafe(18)
        signature = sign(identity.secret.reveal(), command, int(self._clock.now()), nonce)
        headers = {HEADER: signature, NODE_ID: identity.node_id}
        try:
            status, _answer = await post(self._session, url, body, headers)
        except HosterUnreachable as error:
            return str(error)
        return "" if status == 200 else f"{HEARTBEAT_PATH} answered {status}"

    def _tell(self, fault: str) -> None:
        """Once for each change, not every ten seconds."""
        if fault != self._told:
            self._told = fault
            if fault:
                log.warning("heartbeat_fails", reason=fault)
            else:
                log.info("heartbeat_accepted")


def capacity_of(reading: HostReading) -> dict[str, float]:
    return {
        "cpu_cores": reading.cpu.cores,
        "memory_mb": reading.memory_total // _MEGABYTE,
        "disk_mb": reading.disk_total // _MEGABYTE,
    }


def used_between(before: HostReading, now: HostReading) -> dict[str, float]:
    """CPU as the average between the two readings, the rest as it is now."""
    ticks = now.cpu.total - before.cpu.total
    busy = (now.cpu.busy - before.cpu.busy) / ticks if ticks > 0 else 0.0
    return {
        "cpu_cores": round(busy * now.cpu.cores, 3),
        "memory_mb": (now.memory_total - now.memory_available) // _MEGABYTE,
        "disk_mb": now.disk_used // _MEGABYTE,
    }


def _read(folder: Path) -> HostReading:
    return read_host(folder, 0, None)


def _facts(place: Place, hoster_url: str) -> NodeFacts:
    address = _address(place, hoster_url)
    return NodeFacts(socket.gethostname(), address, VERSION, capacity_of(_read(place.data_dir)))


def _address(place: Place, hoster_url: str) -> str:
    """Blocking. Raises HosterUnreachable."""
    if place.advertise_url is not None:
        return place.advertise_url
    try:
        return f"http://{local_address_towards(hoster_url)}:{place.port}"
    except OSError as error:
        raise HosterUnreachable(f"{hoster_url} has no address: {error.strerror}") from error
