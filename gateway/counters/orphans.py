"""Reservations that a killed process took and did not live to write down: found in Redis, released.

Between Redis's answer and the journal's append lies one turn of the loop. A process killed there leaves a unit taken by a request
that no journal and no ledger knows, and that was never forwarded. Each such reservation names its owner, and its id tells when it
was made (UUIDv7), so those from before this process began can be told from the living.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass

import hiredis
import structlog

from gateway.accounts.principal import UserId
from gateway.counters.port import Counters, Settlement, SettlementKind
from gateway.counters.redis_link import RedisLink
from gateway.counters.settlements import Settlements
from gateway.errors import CountersUnavailable

_PATTERN = "apigate:{*}:open:*:"
"""Followed by the server's run: what is left of an earlier run counts for nothing."""


@dataclass(frozen=True, slots=True)
class Reservation:
    user_id: UserId
    period_name: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Known:
    """`in_journal` are settled from there; `charged` asks the ledger which of some ids cost something."""

    in_journal: Collection[str]
    charged: Callable[[Sequence[str]], Awaitable[Collection[str]]]


class Orphans:
    def __init__(self, link: RedisLink, counters: Counters, settlements: Settlements, owner: str) -> None:
        self._link = link
        self._counters = counters
        self._settlements = settlements
        self._owner = owner
        self._log = structlog.get_logger("orphans")

    async def release(self, before_unix: float, known: Known) -> int:
        """How many were released. Raises CountersUnavailable when Redis cannot be asked; nothing is lost by asking again."""
        first_living = f"{int(before_unix * 1000):012x}"
        released = 0
        async for batch in self._reservations():
            old = [item for item in batch if _stamp(item.request_id) < first_living]
            unknown = [item for item in old if item.request_id not in known.in_journal]
            charged = await known.charged([item.request_id for item in unknown])
            for item in unknown:
                if item.request_id in charged:
                    self._counters.forget(item.user_id, item.period_name, item.request_id)
                    continue
                released += 1
                self._settlements.settle(
                    Settlement(item.user_id, item.period_name, item.request_id, SettlementKind.RELEASE)
                )
        if released:
            self._log.warning("orphans_released", count=released)
        return released

    async def _reservations(self) -> AsyncIterator[list[Reservation]]:
        cursor = b"0"
        pattern = _PATTERN + self._link.server_run
        while True:
            reply = await self._ask("SCAN", cursor, "MATCH", pattern, "COUNT", 1000)
            match reply:
                case [bytes() as cursor, list() as keys]:
                    for key in keys:
                        yield await self._held_in(bytes(key))
                case _:
                    raise TypeError(f"SCAN answered {reply!r}")
            if cursor == b"0":
                return

    async def _held_in(self, key: bytes) -> list[Reservation]:
        user_id, _, rest = key.decode().removeprefix("apigate:{").partition("}:open:")
        period_name = rest.partition(":")[0]
        reply = await self._ask("HGETALL", key)
        members = [bytes(member).decode() for member in reply] if isinstance(reply, list) else []
        held = zip(members[::2], members[1::2], strict=True)
        return [Reservation(UserId(user_id), period_name, id_) for id_, owner in held if owner == self._owner]

    async def _ask(self, *command: str | bytes | int) -> object:
        try:
            return await self._link.ask(*command)
        except hiredis.ReplyError as error:
            raise CountersUnavailable(str(error)) from error


def _stamp(request_id: str) -> str:
    """The milliseconds of a UUIDv7, as 12 hexadecimal digits."""
    return request_id.replace("-", "")[:12]
