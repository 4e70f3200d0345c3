"""Asks each upstream whether it is well, as often as its route file says."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import structlog

from gateway.routes.route import Upstream
from gateway.upstream_client import UpstreamClient, UpstreamUnreachable
from shared.clock import Clock
from shared.relay.director import Target

_TURN_S = 0.25
_ASK_WITHIN_S = 2.0


@dataclass(frozen=True, slots=True)
class TargetHealth:
    """`checked_at` is Unix seconds."""

    target: str
    healthy: bool
    checked_at: float


class HealthListener(Protocol):
    def __call__(self, upstream: str, target: Target, *, healthy: bool) -> None: ...


class UpstreamHealth:
    def __init__(
        self, client: UpstreamClient, upstreams: Callable[[], Mapping[str, Upstream]], clock: Clock
    ) -> None:
        self._client = client
        self._upstreams = upstreams
        self._clock = clock
        self._due: dict[str, float] = {}
        self._seen: dict[tuple[str, Target], TargetHealth] = {}
        self._listeners: list[HealthListener] = []
        self._log = structlog.get_logger("upstreams")

    def tell(self, listener: HealthListener) -> None:
        """From now on `listener` hears of every change, and at once of what is known."""
        self._listeners.append(listener)
        for (upstream, target), health in self._seen.items():
            listener(upstream, target, healthy=health.healthy)

    def of(self, upstream: Upstream) -> list[TargetHealth]:
        """What is known of its targets; one that was not asked yet is not in the list."""
        found = (self._seen.get((upstream.name, target)) for target in upstream.spec.targets)
        return [health for health in found if health is not None]

    def state(self, upstream: Upstream) -> str:
        """`healthy`, `degraded` (some targets), `unhealthy`, or `unknown`."""
        known = self.of(upstream)
        if not known:
            return "unknown"
        well = sum(health.healthy for health in known)
        return "healthy" if well == len(known) else "degraded" if well else "unhealthy"

    async def run(self) -> None:
        """Checks what is due. Runs until cancelled."""
        while True:
            self._forget_unchecked()
            now = self._clock.monotonic()
            due = [
                upstream
                for upstream in self._upstreams().values()
                if upstream.health is not None and self._due.get(upstream.name, 0.0) <= now
            ]
            for upstream in due:
                self._due[upstream.name] = now + (upstream.health.interval if upstream.health else 0.0)
            await asyncio.gather(*(self._check(upstream) for upstream in due))
            await asyncio.sleep(_TURN_S)

    def _forget_unchecked(self) -> None:
        """After a reload: a target that nobody checks any more must not stay unwell for ever."""
        upstreams = self._upstreams().values()
        checked = {(each.name, target) for each in upstreams if each.health for target in each.spec.targets}
        for upstream, target in self._seen.keys() - checked:
            del self._seen[upstream, target]
            self._announce(upstream, target, healthy=True)

    def _announce(self, upstream: str, target: Target, *, healthy: bool) -> None:
        for listener in self._listeners:
            listener(upstream, target, healthy=healthy)

    async def _check(self, upstream: Upstream) -> None:
        await asyncio.gather(*(self._check_target(upstream, target) for target in upstream.spec.targets))

    async def _check_target(self, upstream: Upstream, target: Target) -> None:
        path = upstream.health.path if upstream.health is not None else "/"
        try:
            reply = await self._client.get(target, path, {}, _ASK_WITHIN_S)
            healthy = reply.status < 400
        except UpstreamUnreachable:
            healthy = False
        before = self._seen.get((upstream.name, target))
        shown = target.unix_path or f"{target.host}:{target.port}"
        if before is None or before.healthy is not healthy:
            self._log.info("upstream_health_changed", upstream=upstream.name, target=shown, healthy=healthy)
            self._announce(upstream.name, target, healthy=healthy)
        self._seen[upstream.name, target] = TargetHealth(shown, healthy, self._clock.now())
