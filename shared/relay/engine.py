"""What all connections of one relay share: who decides, the limits, the timer, the pools, and the books of what is open."""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from shared.clock import Clock
from shared.relay.director import Decision, Director, Target, UpstreamSpec
from shared.relay.limits import Limits
from shared.relay.outbox import Outbox
from shared.relay.own_answers import OwnAnswers
from shared.relay.pool import Pool
from shared.relay.ticker import NEVER, Ticker

FORGET_POOL_AFTER: Final = 60.0
"""Seconds without use after which an upstream that nobody asks for any more (a container that is gone) is forgotten."""

_LOOK_EVERY: Final = 0.02


class OpenClient(Protocol):
    """A client connection, as the timer and the drain see it."""

    read_deadline: float
    write_deadline: float

    @property
    def is_idle(self) -> bool: ...
    def expired(self, now: float) -> None: ...
    def leave_tunnel(self) -> None: ...
    def close_idle(self) -> None: ...
    def abort(self) -> None: ...


class Engine:
    def __init__(
        self, director: Director, limits: Limits, clock: Clock, new_request_id: Callable[[], str]
    ) -> None:
        self.director = director
        self.limits = limits
        self.max_clients = limits.max_connections
        self.new_request_id = new_request_id
        self.monotonic = clock.monotonic
        self.ticker = Ticker(clock, self._tick)
        self.own_answers = OwnAnswers(director, self.ticker)
        self.outbox = Outbox()
        self.clients: set[OpenClient] = set()
        self.in_flight = 0
        self.draining = False
        self._pools: dict[UpstreamSpec, Pool] = {}
        self._unwell: dict[str, set[Target]] = {}
        self._decisions: set[asyncio.Future[Decision]] = set()
        self._idle: asyncio.Event | None = None
        self._forget_pools_at = NEVER

    def pool(self, spec: UpstreamSpec) -> Pool:
        pool = self._pools.get(spec)
        if pool is None:
            unwell = self._unwell.setdefault(spec.name, set())
            pool = self._pools[spec] = Pool(spec, self.limits, self.ticker, self.outbox, unwell)
            self._forget_pools_at = min(self._forget_pools_at, self.ticker.after(FORGET_POOL_AFTER))
        return pool

    def upstream_state(self, spec: UpstreamSpec) -> dict[str, object]:
        return self.pool(spec).state()

    def set_healthy(self, upstream: str, target: Target, *, healthy: bool) -> None:
        """Outlives the pools: specs change with every reload."""
        unwell = self._unwell.setdefault(upstream, set())
        if healthy:
            unwell.discard(target)
        else:
            unwell.add(target)

    def leave(self) -> None:
        self.in_flight -= 1
        if not self.in_flight and self._idle is not None:
            self._idle.set()

    def await_decision(
        self, decision: "asyncio.Future[Decision]", then: Callable[["asyncio.Future[Decision]"], None]
    ) -> None:
        """Keeps a pending decision alive until it has been taken, whether or not the client is still there."""
        self._decisions.add(decision)

        def taken(settled: "asyncio.Future[Decision]") -> None:
            self._decisions.discard(settled)
            then(settled)

        decision.add_done_callback(taken)

    async def until_idle(self, deadline_s: float) -> bool:
        """Whether all exchanges ended within `deadline_s`."""
        self._idle = asyncio.Event()
        if not self.in_flight:
            return True
        try:
            async with asyncio.timeout(deadline_s):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    async def until_none_is_idle(self, deadline_s: float) -> None:
        """Or until `deadline_s` have passed."""
        turns = int(deadline_s / _LOOK_EVERY)
        for _ in range(turns):
            if not any(client.is_idle for client in self.clients):
                return
            await asyncio.sleep(_LOOK_EVERY)

    async def decisions_taken(self, deadline_s: float) -> None:
        if self._decisions:
            await asyncio.wait(self._decisions, timeout=deadline_s)

    def close_pools(self) -> None:
        for pool in self._pools.values():
            pool.close()
        self._pools.clear()

    def _tick(self, now: float) -> None:
        late = [each for each in self.clients if each.read_deadline <= now or each.write_deadline <= now]
        for client in late:
            client.expired(now)
        for pool in self._pools.values():
            pool.expire(now)
        if now >= self._forget_pools_at:
            self._forget_pools(now)

    def _forget_pools(self, now: float) -> None:
        unused = [spec for spec, pool in self._pools.items() if pool.is_unused_since(now - FORGET_POOL_AFTER)]
        for spec in unused:
            del self._pools[spec]
        named = {spec.name for spec in self._pools}
        self._unwell = {name: found for name, found in self._unwell.items() if found or name in named}
        self._forget_pools_at = self.ticker.after(FORGET_POOL_AFTER) if self._pools else NEVER
