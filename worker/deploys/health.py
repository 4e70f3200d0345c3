"""Is it up? One probe, and the gate that probes until it is.

Facts: a container restarts within 100 ms of dying, so "it answers" and "it has not restarted" are both looked at on every turn.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp
from yarl import URL

from shared.clock import Clock
from worker.deploys.model import HealthAttempt, HealthCheck
from worker.runtime.engine import ContainerSeen, Engine

QUICK_S = 0.25
QUICK_ATTEMPTS = 20
SLOW_S = 1.0
KEPT_ATTEMPTS = 20


class Unhealthy(Exception):
    """It did not become healthy; the message says why. `attempts` are the last ones."""

    def __init__(self, reason: str, attempts: tuple[HealthAttempt, ...] = ()) -> None:
        super().__init__(reason)
        self.attempts = attempts


@dataclass(frozen=True, slots=True)
class Healthy:
    """`container` as it was when the last probe succeeded; `address` on the organisation's network."""

    container: ContainerSeen
    address: str
    attempts: tuple[HealthAttempt, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What must hold. `host` is the Host field of the probe, because frameworks refuse names that they do not expect.

    `watch` sees the container on every turn and raises when waiting on is pointless. `least_uptime_s` counts from the start of the gate,
    which is right after the start of the container.
    """

    network: str
    port: int
    host: str
    check: HealthCheck
    least_uptime_s: float
    watch: Callable[[ContainerSeen], None]


class Probes:
    """`session` must not keep cookies or connections: a probe is a new visitor every time."""

    def __init__(self, session: aiohttp.ClientSession, engine: Engine, clock: Clock) -> None:
        self._session = session
        self._engine = engine
        self._clock = clock

    async def once(self, address: str, gate: Gate) -> tuple[bool, str]:
        """Whether it is healthy, and the outcome in words. Every failure is an outcome."""
        try:
            async with asyncio.timeout(gate.check.timeout_s):
                if gate.check.path is None:
                    return await _accepts(address, gate.port)
                return await self._answers(address, gate, gate.check.path)
        except TimeoutError:
            return False, f"no answer within {gate.check.timeout_s:g} s"
        except (aiohttp.ClientError, OSError) as error:
            return False, _in_words(error)

    async def until_healthy(self, container_id: str, gate: Gate) -> Healthy:
        """Raises Unhealthy at the deadline or when the container is gone, and whatever `gate.watch` raises."""
        begun = self._clock.monotonic()
        attempts: list[HealthAttempt] = []
        turn = 0
        while True:
            container = await self._engine.inspect(container_id)
            if container is None:
                raise Unhealthy("the container was removed by somebody else", tuple(attempts))
            gate.watch(container)
            address = container.addresses.get(gate.network, "") if container.running else ""
            ok, outcome = (
                await self.once(address, gate) if address else (False, f"container {container.status}")
            )
            attempts = [*attempts[1 - KEPT_ATTEMPTS :], HealthAttempt(self._clock.now(), outcome)]
            elapsed = self._clock.monotonic() - begun
            if ok and elapsed >= gate.least_uptime_s:
                return Healthy(container, address, tuple(attempts))
            only_too_young = ok and elapsed < gate.least_uptime_s
            if elapsed >= gate.check.deadline_s and not only_too_young:
                reason = f"not healthy within {gate.check.deadline_s:g} s; the last answer was: {outcome}"
                raise Unhealthy(reason, tuple(attempts))
            turn += 1
            await asyncio.sleep(gate.check.interval_s or (QUICK_S if turn < QUICK_ATTEMPTS else SLOW_S))

    async def _answers(self, address: str, gate: Gate, path: str) -> tuple[bool, str]:
        headers = {"Host": gate.host, "User-Agent": "plane-health", "Connection": "close"}
        url = URL.build(scheme="http", host=address, port=gate.port).join(URL(path, encoded=True))
        async with self._session.get(url, headers=headers, allow_redirects=False) as response:
            return 200 <= response.status < 400, f"HTTP {response.status}"


async def _accepts(address: str, port: int) -> tuple[bool, str]:
    _reader, writer = await asyncio.open_connection(address, port)
    writer.close()
    await writer.wait_closed()
    return True, "connection accepted"


def _in_words(error: Exception) -> str:
    # aiohttp's texts name the address, which is of no use to the customer.
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
    if isinstance(cause, ConnectionRefusedError):
        return "connection refused"
    return cause.strerror if isinstance(cause, OSError) and cause.strerror else type(cause).__name__
