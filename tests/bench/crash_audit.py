"""After the kills: what the upstream has performed, what the ledger says, and what the counters say."""

import sqlite3
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from redis import Redis

from tests.bench.crashing_platform import Platform

_RELEASED = b"-"


@dataclass(frozen=True, slots=True)
class Audit:
    """Each list is of request ids and has to be empty; `counters` is of users: what Redis counts, and what the ledger does."""

    operations: int
    events: int
    without_event: Sequence[str]
    without_operation: Sequence[str]
    twice: Sequence[str]
    answered_and_lost: Sequence[str]
    reserved: Sequence[str]
    counters: Mapping[str, tuple[int | None, int]]

    @property
    def mismatches(self) -> int:
        lists = (
            self.without_event, self.without_operation, self.twice, self.answered_and_lost, self.reserved,
        )  # fmt: skip
        return sum(map(len, lists)) + sum(counted != used for counted, used in self.counters.values())


def audit(platform: Platform, answered: Collection[str]) -> Audit:
    """Blocking."""
    operations = platform.books.operations()
    events = _events(platform.usage_database)
    charged = [event.id for event in events if event.cost > 0]
    used = Counter(event.user_id for event in events if event.cost > 0)
    counted, reserved = _counters(platform.redis_port)
    return Audit(
        operations=len(operations),
        events=len(events),
        without_event=sorted(set(operations) - set(charged)),
        without_operation=sorted(set(charged) - set(operations)),
        twice=sorted(_twice(operations) | _twice([event.id for event in events])),
        answered_and_lost=sorted(set(answered) - set(operations)),
        reserved=sorted(set(reserved) - set(charged)),
        counters={user: (counted.get(user), used[user]) for user in sorted(used | counted)},
    )


@dataclass(frozen=True, slots=True)
class _Event:
    id: str
    user_id: str
    cost: float


def _events(path: Path) -> list[_Event]:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        rows = connection.execute("SELECT id, user_id, cost FROM usage_events").fetchall()
    finally:
        connection.close()
    return [_Event(*row) for row in rows]


def _counters(port: int) -> tuple[Counter[str], list[str]]:
    """By user, and the ids of reservations that are held."""
    counted: Counter[str] = Counter()
    reserved: list[str] = []
    with Redis(port=port) as redis:
        run = str(redis.info("server")["run_id"])[:12]
        for key in redis.keys("apigate:*"):
            name = key.decode()
            user = name.partition("{")[2].partition("}")[0]
            if not name.endswith(run):
                continue
            if ":quota:" in name:
                counted[user] = int(redis.get(key))
            elif ":open:" in name:
                held = redis.hgetall(key)
                reserved += [one.decode() for one, owner in held.items() if owner != _RELEASED]
    return counted, reserved


def _twice(ids: Sequence[str]) -> set[str]:
    return {one for one, count in Counter(ids).items() if count > 1}
