"""Is it up? One probe, and the gate that probes until it is.

Facts: a container restarts within 100 ms of dying, so "it answers" and "it has not restarted" are both looked at on every turn.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp
from yarl import URL

from shared.clock import Clock
from worker.deploys.model import HealthAttempt
from worker.deploys.request import HealthCheck
from worker.runtime.engine import ContainerSeen, Engine

EAGER_S = 0.05
EAGER_ATTEMPTS = 20
QUICK_S = 0.25
QUICK_ATTEMPTS = 40
SLOW_S = 1.0
KEPT_ATTEMPTS = 20
REMOVED = "the container was removed by somebody else"


class Unhealthy(Exception):
    """It did not become healthy; the message says why. `attempts` are the last ones."""

    def __init__(self, reason: str, attempts: tuple[HealthAttempt, ...] = ()) -> None:
        super().__init__(reason)
        self.attempts = attempts


class Removed(Unhealthy):
    """Somebody else has removed the container, or is removing it."""


@dataclass(frozen=True, slots=True)
class Healthy:
    """`container` as it was when the last probe succeeded; `address` on the organisation's network, empty when it has ended."""

    container: ContainerSeen
    address: str
    attempts: tuple[HealthAttempt, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What must hold. `host` is the Host field of the probe, because frameworks refuse names that they do not expect.

    Without `port` nothing is asked from outside: that it runs, and what its own check says, is enough. `watch` sees the container on every turn and raises when waiting on is pointless. `least_uptime_s` counts from the start of the gate,
    which is right after the start of the container. `may_end`: having ended with 0 is as good as running.
    """

    network: str
    port: int | None
    host: str
    check: HealthCheck
    least_uptime_s: float
    watch: Callable[[ContainerSeen], None]
    may_end: bool = False


class Probes:
    """`session` must not keep cookies or connections: a probe is a new visitor every time."""

    def __init__(self, session: aiohttp.ClientSession, engine: Engine, clock: Clock) -> None:
        self._session = session
        self._engine = engine
        self._clock = clock

    async def once(self, container: ContainerSeen, gate: Gate) -> tuple[bool, str]:
        """Whether it is healthy, and the outcome in words. Every failure is an outcome."""
        address = container.addresses.get(gate.network, "") if container.running else ""
        if not address:
            return False, f"container {container.status}"
        if container.health not in {None, "healthy"}:
            return False, f"the check inside the container says {container.health}"
        try:
            async with asyncio.timeout(gate.check.timeout_s):
                if gate.port is None:
                    return True, "container running"
                if gate.check.path is not None:
                    return await self._answers(address, gate.port, gate.host, gate.check.path)
                if container.health is not None:
                    return True, "the check inside the container says healthy"
                return await _accepts(address, gate.port)
        except TimeoutError:
            return False, f"no answer within {gate.check.timeout_s:g} s"
        except (aiohttp.ClientError, OSError) as error:
            return False, f"{_in_words(error)} on port {gate.port}"

    async def until_healthy(self, container_id: str, gate: Gate) -> Healthy:
        """Raises Unhealthy at the deadline or when the container is gone, and whatever `gate.watch` raises."""
        begun = self._clock.monotonic()
        attempts: list[HealthAttempt] = []
        turn = 0
        while True:
            container = await self._engine.inspect(container_id)
            if container is None:
                raise Removed(REMOVED, tuple(attempts))
            if gate.may_end and has_completed(container):
                return Healthy(container, "", tuple(attempts))
            gate.watch(container)
            ok, outcome = await self.once(container, gate)
            attempts = [*attempts[1 - KEPT_ATTEMPTS :], HealthAttempt(self._clock.now(), outcome)]
            elapsed = self._clock.monotonic() - begun
            # A check of its own says more than having been up for a while.
            least_uptime_s = 0.0 if container.health is not None else gate.least_uptime_s
            if ok and elapsed >= least_uptime_s:
                return Healthy(container, container.addresses[gate.network], tuple(attempts))
            only_too_young = ok and elapsed < least_uptime_s
            if elapsed >= gate.check.deadline_s and not only_too_young:
                reason = f"not healthy within {gate.check.deadline_s:g} s; the last answer was: {outcome}"
                raise Unhealthy(reason, tuple(attempts))
            turn += 1
            await asyncio.sleep(gate.check.interval_s or _pause_s(turn))

    async def until_completed(self, container_id: str, deadline_s: float) -> None:
        """Until a task has ended with 0. Raises Unhealthy."""
        begun = self._clock.monotonic()
        while True:
            container = await self._engine.inspect(container_id)
            if container is None:
                raise Removed(REMOVED)
            if has_completed(container):
                return
            if container.status == "exited":
                raise Unhealthy(f"the container ended with exit code {container.exit_code}")
            if self._clock.monotonic() - begun >= deadline_s:
                raise Unhealthy(f"not completed within {deadline_s:g} s")
            await asyncio.sleep(QUICK_S)

    async def _answers(self, address: str, port: int, host: str, path: str) -> tuple[bool, str]:
        headers = {"Host": host, "User-Agent": "plane-health", "Connection": "close"}
        url = URL.build(scheme="http", host=address, port=port).join(URL(path, encoded=True))
        async with self._session.get(url, headers=headers, allow_redirects=False) as response:
            return 200 <= response.status < 400, f"HTTP {response.status}"


def _pause_s(turn: int) -> float:
    """Most apps are up within a second, and their visitors should not wait for us; the others need not be asked that often."""
    if turn < EAGER_ATTEMPTS:
        return EAGER_S
    return QUICK_S if turn < QUICK_ATTEMPTS else SLOW_S


def has_completed(container: ContainerSeen) -> bool:
    return container.status == "exited" and container.exit_code == 0


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
