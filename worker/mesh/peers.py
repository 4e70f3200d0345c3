"""Which other node serves a host, remembered for a moment, so that most requests ask nobody.

Failure policy: while the registry does not answer, what was known within the last minute is still used; every other host that is not
served here is refused (503), and the registry is asked once a second. Our own projects never come here.
"""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass

from shared.clock import Clock
from worker.mesh.errors import PeersUnknown
from worker.mesh.registry import Entry, Registry, RegistryUnavailable

FRESH_S = 2.0
STALE_S = 60.0
PAUSE_S = 1.0
MOST_HOSTS = 4096


@dataclass(frozen=True, slots=True)
class _Known:
    entry: Entry | None
    at: float


class Peers:
    """`node` is ours: what we said ourselves is no peer."""

    def __init__(self, registry: Registry, node: str, clock: Clock) -> None:
        self._registry = registry
        self._node = node
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._asking: dict[str, asyncio.Future[None]] = {}
        self._failed_at: float | None = None

    def find(self, host: str) -> Entry | Awaitable[Entry | None] | None:
        """At once unless the registry has to be asked. Raises PeersUnknown (from the call or from the awaitable)."""
        known = self._known.get(host)
        now = self._clock.monotonic()
        if known is not None and now - known.at < FRESH_S:
            return known.entry
        if self._failed_at is not None and now - self._failed_at < PAUSE_S:
            return self._as_known(host)
        return self._ask(host)

    def forget(self, host: str) -> None:
        """The node that it led to did not answer."""
        self._known.pop(host, None)

    async def _ask(self, host: str) -> Entry | None:
        """Those who wait for the same host share one question."""
        asking = self._asking.get(host)
        if asking is not None:
            await asyncio.shield(asking)
            return self._as_known(host)
        asking = self._asking[host] = asyncio.get_running_loop().create_future()
        try:
            self._remember(host, await self._registry.find(host))
            self._failed_at = None
        except RegistryUnavailable:
            self._failed_at = self._clock.monotonic()
        finally:
            del self._asking[host]
            asking.set_result(None)
        return self._as_known(host)

    def _as_known(self, host: str) -> Entry | None:
        known = self._known.get(host)
        if known is None or self._clock.monotonic() - known.at > STALE_S:
            raise PeersUnknown
        return known.entry

    def _remember(self, host: str, entry: Entry | None) -> None:
        self._known.pop(host, None)
        if len(self._known) >= MOST_HOSTS:
            del self._known[next(iter(self._known))]
        elsewhere = entry if entry is not None and entry.node != self._node else None
        self._known[host] = _Known(elsewhere, self._clock.monotonic())
