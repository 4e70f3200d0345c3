"""The connections to one upstream: kept alive, lent out last-in first-out, opened where least is going on.

Failure policy: a target that cannot be connected to, or that leaves `Limits.failures_in_a_row` requests without a response
head, is passed over for `Limits.avoid_failed_target`; one that was found unwell, until it is found well. When that leaves no
target, they are asked all the same: a wrong health check must not take an upstream away, and the client is told what came of
it (502, 504). Nobody waits in a queue: the number of connections is bounded by that of the clients.
"""

import asyncio
from collections.abc import Set as AbstractSet
from typing import Protocol, cast

from shared.relay.director import Target, UpstreamSpec
from shared.relay.limits import Limits
from shared.relay.loss import LossReason
from shared.relay.outbox import Outbox
from shared.relay.ticker import Ticker
from shared.relay.upstream_connection import UpstreamConnection


class Borrower(Protocol):
    """Who waits for a new connection. `connected` may come when it is not wanted any more."""

    def connected(self, connection: UpstreamConnection) -> None: ...
    def connect_failed(self, target: Target, reason: LossReason) -> None: ...


class TargetConnections:
    """The lender of one target's connections. `busy` counts those lent out and those being opened."""

    __slots__ = ("_failures", "_limits", "_ticker", "avoided_until", "busy", "idle", "open", "target")

    def __init__(self, target: Target, limits: Limits, ticker: Ticker) -> None:
        self.target = target
        self.open: set[UpstreamConnection] = set()
        self.idle: list[UpstreamConnection] = []
        self.busy = 0
        self.avoided_until = 0.0
        self._failures = 0
        self._limits = limits
        self._ticker = ticker

    def avoid(self) -> None:
        self.avoided_until = self._ticker.after(self._limits.avoid_failed_target)

    def failed(self) -> None:
        """A request got no response head."""
        self._failures += 1
        if self._failures >= self._limits.failures_in_a_row:
            self.avoid()

    def answered(self) -> None:
        self._failures = 0

    def give_back(self, connection: UpstreamConnection) -> None:
        self._failures = 0
        self.busy -= 1
        self.idle.append(connection)
        if len(self.idle) > self._limits.max_idle_upstream:
            self.idle[0].close()

    def forget(self, connection: UpstreamConnection) -> None:
        """A connection that is closing: an idle one, or one that was lent out."""
        self.open.discard(connection)
        if connection in self.idle:
            self.idle.remove(connection)
        else:
            self.busy -= 1


class Pool:
    """`unwell`: the targets that a health check has found so; it changes under the pool."""

    def __init__(
        self,
        spec: UpstreamSpec,
        limits: Limits,
        ticker: Ticker,
        outbox: Outbox,
        unwell: AbstractSet[Target] = frozenset(),
    ) -> None:
        self._spec = spec
        self._limits = limits
        self._ticker = ticker
        self._outbox = outbox
        self._unwell = unwell
        self._places = [TargetConnections(target, limits, ticker) for target in spec.targets]
        self._opening: set[asyncio.Task[None]] = set()
        self._opened = 0
        self._reused = 0
        self._connect_failures = 0
        self._last_used = ticker.now

    def take(self, *, proven: bool) -> UpstreamConnection | None:
        """An idle connection of the least busy target, if that has one.

        `proven`: the caller cannot repeat the request, so the connection must be looked at with a system call first.
        """
        self._last_used = self._ticker.now
        place = self._least_busy(None)
        while place.idle:
            connection = place.idle.pop()
            place.busy += 1
            if proven and not connection.is_quiet():
                connection.abandon()
                continue
            self._reused += 1
            return connection
        return None

    def open(self, borrower: Borrower, *, instead_of: Target | None = None) -> None:
        """Connects in the background and tells `borrower`; to another target than `instead_of` if there is one."""
        place = self._least_busy(instead_of)
        place.busy += 1
        connecting = self._connect(place, borrower)
        task = asyncio.get_running_loop().create_task(connecting, name=f"connect {self._spec.name}")
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    def has_other_target(self, target: Target) -> bool:
        return any(place.target != target for place in self._places)

    def _least_busy(self, instead_of: Target | None) -> TargetConnections:
        places = self._places
        if len(places) == 1:
            return places[0]
        wanted = [place for place in places if place.target != instead_of]
        usable = [place for place in wanted if self._is_usable(place)]
        # Ties go to the one with a connection at hand.
        return min(usable or wanted or places, key=lambda place: (place.busy, not place.idle))

    def _is_usable(self, place: TargetConnections) -> bool:
        return place.avoided_until <= self._ticker.now and place.target not in self._unwell

    async def _connect(self, place: TargetConnections, borrower: Borrower) -> None:
        try:
            async with asyncio.timeout(self._spec.connect_timeout):
                connection = await self._open_connection(place)
        except TimeoutError:
            self._connect_failed(place, borrower, LossReason.TIMEOUT)
        except OSError:
            self._connect_failed(place, borrower, LossReason.DISCONNECTED)
        else:
            self._opened += 1
            place.avoided_until = 0.0
            borrower.connected(connection)

    def _connect_failed(self, place: TargetConnections, borrower: Borrower, reason: LossReason) -> None:
        place.busy -= 1
        place.avoid()
        self._connect_failures += 1
        borrower.connect_failed(place.target, reason)

    async def _open_connection(self, place: TargetConnections) -> UpstreamConnection:
        loop = asyncio.get_running_loop()
        connection = UpstreamConnection(
            place, self._limits, self._ticker, self._outbox, self._spec.idle_timeout
        )
        protocol = cast(asyncio.Protocol, connection)  # it is one, but for the base class (see there)
        target = place.target
        if target.unix_path is not None:
            await loop.create_unix_connection(lambda: protocol, target.unix_path)
        else:
            await loop.create_connection(lambda: protocol, target.host, target.port)
        try:
            if self._spec.vouch is not None and not await self._spec.vouch():
                connection.abandon()
        except BaseException:
            connection.abandon()
            place.busy += 1
            raise
        if (
            connection.is_closed
        ):  # the upstream hung up before this task ran again, and the place has been told
            place.busy += 1
            raise ConnectionResetError
        place.open.add(connection)
        return connection

    def expire(self, now: float) -> None:
        late = [each for place in self._places for each in place.open if each.deadline <= now]
        for connection in late:
            connection.expired()

    def is_unused_since(self, moment: float) -> bool:
        return (
            self._last_used < moment and not self._opening and not any(place.open for place in self._places)
        )

    def close(self) -> None:
        for task in self._opening:
            task.cancel()
        for connection in [each for place in self._places for each in place.open]:
            connection.abandon()

    def state(self) -> dict[str, object]:
        """Numbers for people and dashboards."""
        return {
            "opened": self._opened,
            "reused": self._reused,
            "connect_failures": self._connect_failures,
            "targets": [
                {
                    "address": place.target.unix_path or f"{place.target.host}:{place.target.port}",
                    "up": self._is_usable(place),
                    "busy": place.busy,
                    "idle": len(place.idle),
                }
                for place in self._places
            ],
        }
