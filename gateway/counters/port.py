"""What the gateway asks of its counters, and the values that they answer.

Rules:
- GCRA: `burst` requests are admitted at once, then one every 60/rate seconds, so never more than rate * T + burst in T.
- The quota counts a calendar month in UTC, by the counters' own clock; -1 is unlimited, 0 is none.
- Everything is checked before anything is written: a refusal changes nothing.
- A reservation is known by its request id, so that settling it twice is settling it once.
- A counter that does not exist is not zero: it is `Unseeded`, and has to be given the ledger's count first.
"""

from asyncio import Future
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from gateway.accounts.principal import UserId
from gateway.errors import CountersUnavailable
from gateway.rules.period import Period


@dataclass(slots=True, init=False)
class Claim:
    """One unit of quota and one place in the rate, for one request."""

    request_id: str
    user_id: UserId
    period: Period
    quota_limit: int
    rate_per_minute: int
    burst: int

    def __init__(
        self,
        request_id: str,
        user_id: UserId,
        period: Period,
        quota_limit: int,
        rate_per_minute: int,
        burst: int,
    ) -> None:
        self.request_id = request_id
        self.user_id = user_id
        self.period = period
        self.quota_limit = quota_limit
        self.rate_per_minute = rate_per_minute
        self.burst = burst

    @property
    def emission_us(self) -> int:
        """Microseconds between two requests at the rate, rounded so that the rate is never exceeded."""
        return -(-60_000_000 // self.rate_per_minute)


@dataclass(slots=True, init=False)
class Admitted:
    """`quota_used` includes this request. `rate_resets_in` in seconds: until the whole burst is there again."""

    quota_used: int
    rate_remaining: int
    rate_resets_in: float

    def __init__(self, quota_used: int, rate_remaining: int, rate_resets_in: float) -> None:
        self.quota_used = quota_used
        self.rate_remaining = rate_remaining
        self.rate_resets_in = rate_resets_in


@dataclass(frozen=True, slots=True)
class QuotaRefused:
    used: int


@dataclass(frozen=True, slots=True)
class RateRefused:
    """Seconds."""

    retry_after: float


@dataclass(frozen=True, slots=True)
class Unseeded:
    """The month's count of this user is not there: an empty Redis, or a fresh process."""


@dataclass(frozen=True, slots=True)
class OtherPeriod:
    """The counters' clock, Unix seconds, is in another month than the claim."""

    now: int


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """This request was settled before it was reserved: the reservation was given up and arrived late."""


Refused = QuotaRefused | RateRefused
Verdict = Admitted | Refused | Unseeded | OtherPeriod | Withdrawn


OnVerdict = Callable[[Verdict | CountersUnavailable], None]


class SettlementKind(StrEnum):
    RELEASE = "release"
    """Give the unit of quota back, if it was taken. The rate is never given back."""

    CHARGE = "charge"
    """Take a unit, if none was taken: the request was admitted without its counters."""


@dataclass(slots=True, init=False)
class Settlement:
    user_id: UserId
    period_name: str
    request_id: str
    kind: SettlementKind

    def __init__(self, user_id: UserId, period_name: str, request_id: str, kind: SettlementKind) -> None:
        self.user_id = user_id
        self.period_name = period_name
        self.request_id = request_id
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Seed:
    """What the ledger knows: charged requests, and those that are on their way (reserved, no outcome yet)."""

    used: int
    open_ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class Standing:
    """`used` is None when unseeded."""

    used: int | None
    rate_remaining: int
    rate_resets_in: float


def standing(*, used: int | None, ahead_us: int, claim: Claim) -> Standing:
    """`ahead_us` is how far the rate cell's next arrival lies in the future."""
    remaining = max(0, (claim.emission_us * claim.burst - ahead_us) // claim.emission_us)
    return Standing(used, remaining, ahead_us / 1e6)


class CountersState(StrEnum):
    REDIS = "redis"
    LOCAL = "local"
    UNAVAILABLE = "unavailable"


class Counters(Protocol):
    """Every method raises CountersUnavailable, at once or from what it returns, or tells of it, at the latest after 50 ms."""

    @property
    def state(self) -> CountersState: ...

    def reserve(self, claim: Claim, then: OnVerdict) -> Verdict | None:
        """The verdict when it is there at once; otherwise None, and `then` is called once, later, with it or with why there is none."""

    def settle(self, settlement: Settlement) -> Future[None] | None:
        """None when it is done at once."""

    def forget(self, user_id: UserId, period_name: str, request_id: str) -> None:
        """The request was charged and recorded; its reservation need not be remembered any longer."""

    def seed(self, user_id: UserId, period: Period, seed: Seed) -> Awaitable[None]:
        """Without effect when the counter is there."""

    def look(self, claim: Claim) -> Awaitable[Standing]:
        """Where the user of the claim stands; takes nothing."""
