"""Counters that are not there are given the ledger's count before anyone is admitted against them."""

import asyncio
from asyncio import Future
from typing import Protocol

import structlog

from gateway.accounts.principal import UserId
from gateway.counters.port import Counters, Seed
from gateway.errors import CountersUnavailable
from gateway.rules.period import Period


class Seeds(Protocol):
    async def seed(self, user_id: UserId, period: Period) -> Seed:
        """What was charged in that month, and what is on its way."""


_Wanted = tuple[UserId, Period]


class Seeding:
    """One seeding at a time for each user and month, shared by all requests that wait for it."""

    def __init__(self, counters: Counters, seeds: Seeds) -> None:
        self._counters = counters
        self._seeds = seeds
        self._queue: asyncio.Queue[_Wanted] = asyncio.Queue()
        self._waiting: dict[_Wanted, Future[None]] = {}
        self._log = structlog.get_logger("seeding")

    def wanted(self, user_id: UserId, period: Period) -> Future[None]:
        """Done when the counter is there; raises CountersUnavailable."""
        key = (user_id, period)
        future = self._waiting.get(key)
        if future is None:
            future = self._waiting[key] = asyncio.get_running_loop().create_future()
            self._queue.put_nowait(key)
        return future

    async def run(self) -> None:
        """Seeds what is wanted. Runs until cancelled."""
        while True:
            await self._seed(await self._queue.get())

    async def _seed(self, wanted: _Wanted) -> None:
        user_id, period = wanted
        failure: Exception | None = None
        try:
            await self._counters.seed(user_id, period, await self._seeds.seed(user_id, period))
        except CountersUnavailable as error:
            failure = error
        except Exception as error:  # noqa: BLE001 - it is logged, and handed to those who wait
            # The ledger cannot be read: nobody can be admitted exactly, which is what the caller is told.
            self._log.exception("seeding_failed")
            failure = CountersUnavailable(str(error))
        future = self._waiting.pop(wanted)
        if future.done():
            return
        if failure is None:
            future.set_result(None)
        else:
            future.set_exception(failure)
