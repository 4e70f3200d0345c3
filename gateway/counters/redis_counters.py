"""Counters in Redis: one EVALSHA for each request that is admitted, by Redis's own clock, exact with any number of processes.

A Redis that was restarted may come back empty, or with counters from a snapshot, which are worse: they look valid. So the quota's keys
carry the run of the server under which they were made. Under another run there are none, and they are seeded from the ledger.
"""

import asyncio
from asyncio import Future
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Final, TypeVar

from gateway.accounts.principal import UserId
from gateway.counters.port import (
    Admitted,
    Claim,
    CountersState,
    OnVerdict,
    OtherPeriod,
    QuotaRefused,
    RateRefused,
    Seed,
    Settlement,
    Standing,
    Unseeded,
    Verdict,
    Withdrawn,
    standing,
)
from gateway.counters.redis_link import RedisLink, Script, ScriptRun
from gateway.counters.resp import bulk, bulks
from gateway.errors import CountersUnavailable
from gateway.rules.period import Period, period_named

_HERE: Final = Path(__file__).parent
_RESERVE: Final = Script.read(_HERE / "reserve.lua")
_SETTLE: Final = Script.read(_HERE / "settle.lua")
_SEED: Final = Script.read(_HERE / "seed.lua")
_LOOK: Final = Script.read(_HERE / "look.lua")
SCRIPTS: Final = (_RESERVE, _SETTLE, _SEED, _LOOK)
_KEPT_AFTER_PERIOD_S: Final = 7 * 86400
_MOST_FORGOTTEN: Final = 64
_MOST_USERS: Final = 10_000

Result = TypeVar("Result")


class RedisCounters:
    """`owner` names this gateway's data directory, so that what it left open when it was killed can be told from others'."""

    def __init__(self, link: RedisLink, owner: str) -> None:
        self._link = link
        self._owner = owner
        self._forgotten: dict[tuple[UserId, str], list[str]] = {}

    @property
    def state(self) -> CountersState:
        return CountersState.REDIS if self._link.is_up else CountersState.UNAVAILABLE

    def reserve(self, claim: Claim, then: OnVerdict) -> None:
        user_period = (claim.user_id, claim.period.name)
        forgotten = self._forgotten.pop(user_period, [])

        def on_reply(reply: object) -> None:
            verdict = _parsed(reply, _verdict)
            if forgotten and not isinstance(verdict, Admitted):
                self._remember_to_forget(user_period, forgotten)
            then(verdict)

        terms = self._terms(claim.period, claim.quota_limit, claim.emission_us, claim.burst)
        arguments = [self._keys(claim.user_id, claim.period.name), terms[0], bulk(claim.request_id), terms[1]]
        if forgotten:
            arguments.append(bulks(*forgotten))
        try:
            self._link.run(ScriptRun(_RESERVE, 3, b"".join(arguments), 11 + len(forgotten)), on_reply)
        except CountersUnavailable:
            self._remember_to_forget(user_period, forgotten)
            raise

    def settle(self, settlement: Settlement) -> Future[None]:
        expiry = period_named(settlement.period_name).ends_at + _KEPT_AFTER_PERIOD_S
        confirmed = self._ask(
            _SETTLE,
            self._quota_keys(settlement.user_id, settlement.period_name),
            (settlement.request_id, settlement.kind.value, self._owner, expiry),
            lambda _: None,
        )
        # Now: the client that has its answer may ask another process, which must find the unit given back.
        self._link.flush()
        return confirmed

    def forget(self, user_id: UserId, period_name: str, request_id: str) -> None:
        self._remember_to_forget((user_id, period_name), [request_id])

    def seed(self, user_id: UserId, period: Period, seed: Seed) -> Future[None]:
        arguments: tuple[str | int, ...] = (
            seed.used,
            period.ends_at + _KEPT_AFTER_PERIOD_S,
            self._owner,
            *seed.open_ids,
        )
        return self._ask(_SEED, self._quota_keys(user_id, period.name), arguments, lambda _: None)

    def look(self, claim: Claim) -> Future[Standing]:
        rate, quota, _ = _key_names(claim.user_id, claim.period.name, self._link.server_run)
        return self._ask(_LOOK, (rate, quota), (), lambda reply: _standing(reply, claim))

    def _keys(self, user_id: UserId, period_name: str) -> bytes:
        return _encoded_keys(user_id, period_name, self._link.server_run)

    def _quota_keys(self, user_id: UserId, period_name: str) -> tuple[str, str]:
        _, quota, opened = _key_names(user_id, period_name, self._link.server_run)
        return quota, opened

    def _terms(self, period: Period, quota_limit: int, emission_us: int, burst: int) -> tuple[bytes, bytes]:
        """What the reservations under one plan in one month have in common: before the request id, and after it."""
        return _encoded_terms(period, quota_limit, emission_us, burst, self._owner)

    def _ask(
        self,
        script: Script,
        keys: tuple[str, ...],
        arguments: tuple[str | int, ...],
        parse: Callable[[object], Result],
    ) -> Future[Result]:
        future: Future[Result] = asyncio.get_running_loop().create_future()
        run = ScriptRun.of(script, keys, arguments)
        self._link.run(run, lambda reply: _resolve(future, _parsed(reply, parse)))
        return future

    def _remember_to_forget(self, user_period: tuple[UserId, str], request_ids: list[str]) -> None:
        """Bounded: what is dropped here stays in Redis until the month's keys expire, and does no harm."""
        if not request_ids or (user_period not in self._forgotten and len(self._forgotten) >= _MOST_USERS):
            return
        kept = self._forgotten.setdefault(user_period, [])
        kept.extend(request_ids[: _MOST_FORGOTTEN - len(kept)])


def _key_names(user_id: UserId, period_name: str, run: str) -> tuple[str, str, str]:
    """The braces make one user's keys live on one node of a Redis cluster."""
    return (
        f"apigate:{{{user_id}}}:rate",
        f"apigate:{{{user_id}}}:quota:{period_name}:{run}",
        f"apigate:{{{user_id}}}:open:{period_name}:{run}",
    )


@lru_cache(maxsize=_MOST_USERS)
def _encoded_keys(user_id: UserId, period_name: str, run: str) -> bytes:
    return bulks(*_key_names(user_id, period_name, run))


@lru_cache(maxsize=256)
def _encoded_terms(
    period: Period, quota_limit: int, emission_us: int, burst: int, owner: str
) -> tuple[bytes, bytes]:
    before = bulks(period.starts_at, period.ends_at, quota_limit, emission_us, burst)
    return before, bulks(owner, period.ends_at + _KEPT_AFTER_PERIOD_S)


def _parsed(reply: object, parse: Callable[[object], Result]) -> Result | CountersUnavailable:
    """An error reply (loading, read-only, out of memory) is as good as no reply."""
    if isinstance(reply, Exception):
        return CountersUnavailable(str(reply))
    return parse(reply)


def _resolve(future: Future[Result], outcome: Result | CountersUnavailable) -> None:
    if future.done():
        return
    if isinstance(outcome, CountersUnavailable):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)


def _verdict(reply: object) -> Verdict:
    match reply:
        case [b"admitted", int(used), int(remaining), int(resets_us)]:
            return Admitted(used, remaining, resets_us / 1e6)
        case [b"quota", int(used)]:
            return QuotaRefused(used)
        case [b"rate", int(wait_us)]:
            return RateRefused(wait_us / 1e6)
        case [b"unseeded"]:
            return Unseeded()
        case [b"period", int(now)]:
            return OtherPeriod(now)
        case [b"withdrawn"]:
            return Withdrawn()
        case _:
            raise TypeError(f"reserve.lua answered {reply!r}")


def _standing(reply: object, claim: Claim) -> Standing:
    match reply:
        case [int(seconds), int(micros), rate, used]:
            now = seconds * 1_000_000 + micros
            arrival = max(now, _number(rate) or 0)
            return standing(used=_number(used), ahead_us=arrival - now, claim=claim)
        case _:
            raise TypeError(f"look.lua answered {reply!r}")


def _number(kept: object) -> int | None:
    """What GET answers."""
    if isinstance(kept, bytes):
        return int(kept)
    if kept is None:
        return None
    raise TypeError(f"a counter is {kept!r}")
