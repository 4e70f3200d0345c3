"""What a reader of logs asks for. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from shared.config import parse_duration
from worker.errors import QueryInvalid

DEFAULT_TAIL = 100
MOST_TAIL = 10_000

_UNIX = re.compile(r"[0-9]{1,10}(\.[0-9]{1,9})?")


@dataclass(frozen=True, slots=True)
class LogsWanted:
    """The last `tail` lines, of those not older than `since_ns`, of one service (None: of all)."""

    tail: int
    since_ns: int
    service: str | None


def read_query(query: Mapping[str, str], now: float) -> LogsWanted:
    """`tail` defaults to 100, or to the most there is with `since`. Raises QueryInvalid."""
    since = query.get("since", "")
    tail = query.get("tail") or ("all" if since else str(DEFAULT_TAIL))
    return LogsWanted(_tail(tail), _since_ns(since, now) if since else 0, query.get("service") or None)


def _tail(text: str) -> int:
    if text == "all":
        return MOST_TAIL
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise QueryInvalid("tail", "must be a number of lines, or `all`")
    return min(int(text), MOST_TAIL)


def _since_ns(text: str, now: float) -> int:
    """Unix seconds, RFC 3339, or a duration before now such as `10m`."""
    if _UNIX.fullmatch(text):
        seconds, _, fraction = text.partition(".")
        return int(seconds) * 1_000_000_000 + int(fraction.ljust(9, "0"))
    try:
        return int((now - parse_duration(text)) * 1_000_000) * 1000
    except ValueError:
        pass
    try:
        # A `+` that was not percent-encoded arrives as a space.
        moment = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        raise QueryInvalid(
            "since", "must be Unix seconds, an RFC 3339 time, or a duration such as 10m"
        ) from None
    if moment.tzinfo is None:
        raise QueryInvalid("since", "needs a time zone, such as Z")
    return int(moment.timestamp() * 1_000_000) * 1000
