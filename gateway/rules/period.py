"""The calendar month in UTC, in which a quota counts."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Period:
    """`name` is `2026-11`; `starts_at` and `ends_at` are Unix seconds, the end excluded."""

    name: str
    starts_at: int
    ends_at: int


def period_at(unix: float) -> Period:
    moment = datetime.fromtimestamp(unix, UTC)
    start = datetime(moment.year, moment.month, 1, tzinfo=UTC)
    following = (
        start.replace(year=moment.year + 1, month=1)
        if moment.month == 12
        else start.replace(month=moment.month + 1)
    )
    return Period(f"{moment.year:04d}-{moment.month:02d}", int(start.timestamp()), int(following.timestamp()))


@lru_cache(maxsize=64)
def period_named(name: str) -> Period:
    """The period of `2026-11`; raises ValueError."""
    return period_at(datetime.strptime(name, "%Y-%m").replace(tzinfo=UTC).timestamp())


class PeriodNow:
    """`period_at` for the present, computed once a month instead of once a request."""

    __slots__ = ("_period",)

    def __init__(self) -> None:
        self._period = period_at(0)

    def at(self, unix: float) -> Period:
        if not self._period.starts_at <= unix < self._period.ends_at:
            self._period = period_at(unix)
        return self._period
