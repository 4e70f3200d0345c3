"""One contract for both kinds of counters: in Redis and in the process."""

import asyncio
import dataclasses
import inspect
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from redis import Redis

from gateway.accounts.principal import UserId
from gateway.counters.admission import Admission, Answer, Unreachable
from gateway.counters.local_counters import LocalCounters
from gateway.counters.orphans import Known, Orphans
from gateway.counters.port import (
    Admitted,
    Claim,
    Counters,
    OtherPeriod,
    QuotaRefused,
    RateRefused,
    Seed,
    Settlement,
    SettlementKind,
    Unseeded,
    Withdrawn,
)
from gateway.counters.redis_counters import SCRIPTS, RedisCounters
from gateway.counters.redis_link import RedisLink, parse_redis_url
from gateway.counters.refusals import KnownRefusals
from gateway.counters.seeding import Seeding
from gateway.counters.settlements import Settlements
from gateway.errors import CountersUnavailable
from gateway.rules.period import period_at
from shared.clock import SystemClock
from shared.ids import request_ids
from shared.supervise import supervised

CLOCK = SystemClock()
USER = UserId("user_1")
new_id = request_ids(CLOCK)


def claim(**changes: Any) -> Claim:
    made = Claim(
        request_id=new_id(),
        user_id=USER,
        period=period_at(CLOCK.now()),
        quota_limit=1000,
        rate_per_minute=6000,
        burst=1000,
    )
    return dataclasses.replace(made, **changes)


async def taken(answer: Any) -> Any:
    return await answer if inspect.isawaitable(answer) else answer


async def reserve(counters: Counters, wanted: Claim) -> Any:
    later: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def then(found: Any) -> None:
        if isinstance(found, CountersUnavailable):
            later.set_exception(found)
        else:
            later.set_result(found)

    verdict = counters.reserve(wanted, then)
    return await later if verdict is None else verdict


async def settle(counters: Counters, of: Claim, kind: SettlementKind) -> None:
    await taken(counters.settle(Settlement(of.user_id, of.period.name, of.request_id, kind)))


async def used(counters: Counters) -> int | None:
    return (await counters.look(claim())).used


async def seed(counters: Counters, count: int = 0, open_ids: tuple[str, ...] = ()) -> None:
    await counters.seed(USER, period_at(CLOCK.now()), Seed(count, open_ids))


@dataclass
class Opened:
    link: RedisLink
    counters: RedisCounters


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Opened]:
    # A machine with two busy cores may be late; the deadline itself has its own test.
    link = RedisLink(parse_redis_url(redis_url), SCRIPTS, deadline_s=5.0)
    async with supervised({"redis": link.keep}, lambda: None):
        assert await link.until_up(5.0)
        yield Opened(link, RedisCounters(link, "gw_1"))


@pytest.fixture(params=["redis", "local"])
def counters(request: pytest.FixtureRequest) -> Counters:
    return request.getfixturevalue("redis").counters if request.param == "redis" else LocalCounters(CLOCK)


async def test_a_counter_that_is_not_there_is_not_zero(counters: Counters) -> None:
    assert await reserve(counters, claim()) == Unseeded()
    assert await used(counters) is None

    await seed(counters, 7)

    assert (await reserve(counters, claim())).quota_used == 8


async def test_seeding_again_changes_nothing(counters: Counters) -> None:
    await seed(counters, 7)
    await seed(counters, 3, ("a",))

    assert await used(counters) == 7


async def test_exactly_the_quota_is_admitted_under_500_at_once(counters: Counters) -> None:
    await seed(counters)

    verdicts = await asyncio.gather(*(reserve(counters, claim(quota_limit=100)) for _ in range(500)))

    assert Counter(type(verdict) for verdict in verdicts) == {Admitted: 100, QuotaRefused: 400}
    assert sorted(verdict.quota_used for verdict in verdicts if isinstance(verdict, Admitted)) == list(
        range(1, 101)
    )
    assert await used(counters) == 100


@pytest.mark.parametrize(("limit", "verdict"), [(-1, Admitted), (0, QuotaRefused)])
async def test_minus_one_is_unlimited_and_zero_is_none(counters: Counters, limit: int, verdict: type) -> None:
    await seed(counters, 10**6)

    assert isinstance(await reserve(counters, claim(quota_limit=limit)), verdict)


async def test_a_refusal_changes_nothing(counters: Counters) -> None:
    await seed(counters)
    slow = {"rate_per_minute": 1, "burst": 2}
    assert isinstance(await reserve(counters, claim(**slow)), Admitted)
    assert isinstance(await reserve(counters, claim(**slow)), Admitted)
    before = await counters.look(claim(**slow))

    by_rate = [await reserve(counters, claim(**slow)) for _ in range(20)]
    by_quota = [await reserve(counters, claim(quota_limit=2)) for _ in range(20)]

    assert {type(verdict) for verdict in by_rate} == {RateRefused}
    assert {type(verdict) for verdict in by_quota} == {QuotaRefused}
    after = await counters.look(claim(**slow))
    assert after.used == before.used == 2
    assert after.rate_resets_in <= before.rate_resets_in


async def test_a_burst_passes_at_once_and_then_one_at_a_time(counters: Counters) -> None:
    await seed(counters)
    wanted = {"rate_per_minute": 600, "burst": 5}

    verdicts = await asyncio.gather(*(reserve(counters, claim(**wanted)) for _ in range(6)))

    assert [type(verdict) for verdict in verdicts] == [Admitted] * 5 + [RateRefused]
    assert [verdict.rate_remaining for verdict in verdicts[:5]] == [4, 3, 2, 1, 0]
    assert 0 < verdicts[5].retry_after <= 0.1
    await asyncio.sleep(verdicts[5].retry_after + 0.01)
    assert isinstance(await reserve(counters, claim(**wanted)), Admitted)


async def test_no_more_than_rate_times_time_and_burst_are_admitted(counters: Counters) -> None:
    await seed(counters)
    # What is free when they begin and what becomes free in ten seconds is kept for them, however long this test is held up.
    a_second, burst = 100, 1000
    wanted = {"quota_limit": -1, "rate_per_minute": 60 * a_second, "burst": burst}
    began = asked = time.monotonic()
    first_known: float | None = None
    admitted, is_used_up = 0, False
    while not is_used_up or asked - began < 0.5:
        asked = time.monotonic()
        verdicts = await asyncio.gather(*(reserve(counters, claim(**wanted)) for _ in range(8)))
        first_known = first_known or time.monotonic()
        admitted += sum(isinstance(verdict, Admitted) for verdict in verdicts)
        is_used_up = not isinstance(verdicts[-1], Admitted)
        await asyncio.sleep(0.002)
    ended = time.monotonic()

    assert a_second * (asked - first_known) + burst - 1 <= admitted <= a_second * (ended - began) + burst


async def test_a_release_gives_back_once(counters: Counters) -> None:
    await seed(counters)
    first, second = claim(), claim()
    await reserve(counters, first)
    await reserve(counters, second)

    for _ in range(3):
        await settle(counters, first, SettlementKind.RELEASE)

    assert await used(counters) == 1


async def test_a_release_does_not_give_the_rate_back(counters: Counters) -> None:
    await seed(counters)
    wanted = claim(rate_per_minute=1, burst=1)
    await reserve(counters, wanted)

    await settle(counters, wanted, SettlementKind.RELEASE)

    assert isinstance(await reserve(counters, claim(rate_per_minute=1, burst=1)), RateRefused)


async def test_what_was_released_before_it_arrived_is_not_admitted(counters: Counters) -> None:
    await seed(counters)
    late = claim()

    await settle(counters, late, SettlementKind.RELEASE)

    assert await reserve(counters, late) == Withdrawn()
    assert await used(counters) == 0


async def test_a_charge_takes_a_unit_only_if_none_was_taken(counters: Counters) -> None:
    await seed(counters)
    counted, uncounted = claim(), claim()
    await reserve(counters, counted)

    for one in (counted, uncounted, uncounted):
        await settle(counters, one, SettlementKind.CHARGE)

    assert await used(counters) == 2


async def test_requests_on_their_way_are_seeded_and_can_be_released(counters: Counters) -> None:
    gone, waiting = claim(), claim()
    await settle(counters, gone, SettlementKind.RELEASE)

    await seed(counters, 5, (gone.request_id, waiting.request_id))

    assert await used(counters) == 6
    await settle(counters, waiting, SettlementKind.RELEASE)
    assert await used(counters) == 5


async def test_the_counters_clock_decides_the_month(counters: Counters) -> None:
    last_month = period_at(period_at(CLOCK.now()).starts_at - 1)

    verdict = await reserve(counters, claim(period=last_month))

    assert isinstance(verdict, OtherPeriod)
    assert period_at(verdict.now) == period_at(CLOCK.now())


async def test_what_is_forgotten_is_cleared_with_the_next_reservation(redis: Opened, redis_url: str) -> None:
    await seed(redis.counters)
    first = claim()
    await reserve(redis.counters, first)
    redis.counters.forget(USER, first.period.name, first.request_id)
    second = claim()
    await reserve(redis.counters, second)

    with Redis.from_url(redis_url) as client:
        held = client.hgetall(f"apigate:{{{USER}}}:open:{first.period.name}:{redis.link.server_run}")
    assert held == {second.request_id.encode(): b"gw_1"}


async def test_one_call_admits_and_none_repeats_a_known_refusal(redis: Opened, redis_url: str) -> None:
    admission, settlements = admission_of(redis.counters)
    await seed(redis.counters)
    with Redis.from_url(redis_url) as client:
        await admit(admission, claim(quota_limit=5))
        before = client.info("commandstats")["cmdstat_evalsha"]["calls"]
        answers = [await admit(admission, claim(quota_limit=5)) for _ in range(4)]
        after_admitted = client.info("commandstats")["cmdstat_evalsha"]["calls"]
        refused = [await admit(admission, claim(quota_limit=5)) for _ in range(10)]
        after_refused = client.info("commandstats")["cmdstat_evalsha"]["calls"]

    assert after_admitted - before == 4
    assert after_refused - after_admitted == 1
    assert {type(answer.outcome) for answer in answers} == {Admitted}
    assert {type(answer.outcome) for answer in refused} == {QuotaRefused}
    assert settlements.pending == 0


async def test_a_release_ends_a_known_refusal(redis: Opened) -> None:
    admission, settlements = admission_of(redis.counters)
    await seed(redis.counters)
    first = claim(quota_limit=1)
    await admit(admission, first)
    assert isinstance((await admit(admission, claim(quota_limit=1))).outcome, QuotaRefused)

    settlements.settle(Settlement(USER, first.period.name, first.request_id, SettlementKind.RELEASE))

    assert isinstance((await admit(admission, claim(quota_limit=1))).outcome, Admitted)


async def test_another_plan_is_not_refused_by_what_is_known_of_the_old_one(redis: Opened) -> None:
    admission, _ = admission_of(redis.counters)
    await seed(redis.counters, 1)
    assert isinstance((await admit(admission, claim(quota_limit=1))).outcome, QuotaRefused)

    assert isinstance((await admit(admission, claim(quota_limit=2))).outcome, Admitted)


async def test_scripts_that_redis_forgot_are_sent_again(redis: Opened, redis_url: str) -> None:
    await seed(redis.counters)
    await reserve(redis.counters, claim())
    with Redis.from_url(redis_url) as client:
        client.script_flush()

    verdicts = await asyncio.gather(*(reserve(redis.counters, claim()) for _ in range(10)))

    assert {type(verdict) for verdict in verdicts} == {Admitted}
    assert await used(redis.counters) == 11


async def test_an_empty_redis_is_seeded_before_anyone_is_admitted(redis: Opened, redis_url: str) -> None:
    seeding = Seeding(redis.counters, ChargedSeven())
    admission, _ = admission_of(redis.counters, seeding)
    async with supervised({"seeding": seeding.run}, lambda: None):
        first = await asyncio.gather(*(admit(admission, claim(quota_limit=10)) for _ in range(20)))
        with Redis.from_url(redis_url) as client:
            client.flushall()
        again = await admit(admission, claim(quota_limit=100))

    assert Counter(type(answer.outcome) for answer in first) == {Admitted: 3, QuotaRefused: 17}
    assert again.outcome.quota_used == 8


async def test_what_a_killed_process_took_and_never_wrote_down_is_released(redis: Opened) -> None:
    await seed(redis.counters)
    journalled, charged, orphan = claim(), claim(), claim()
    for one in (journalled, charged, orphan):
        await reserve(redis.counters, one)
    await asyncio.sleep(0.005)
    began_at = CLOCK.now()
    await asyncio.sleep(0.005)
    living = claim()
    await reserve(redis.counters, living)
    others = RedisCounters(redis.link, "gw_2")
    await reserve(others, claim())
    refusals = KnownRefusals(CLOCK)
    settlements = Settlements(redis.counters, refusals)

    async def charged_among(ids: Any) -> set[str]:
        return {charged.request_id} & set(ids)

    known = Known({journalled.request_id}, charged_among)
    released = await Orphans(redis.link, redis.counters, settlements, "gw_1").release(began_at, known)

    assert released == 1
    assert await used(redis.counters) == 4


class ChargedSeven:
    async def seed(self, user_id: UserId, period: object) -> Seed:
        assert user_id
        assert period
        return Seed(7, [])


def admission_of(counters: Counters, seeding: Seeding | None = None) -> tuple[Admission, Settlements]:
    refusals = KnownRefusals(CLOCK)
    settlements = Settlements(counters, refusals)
    return Admission(
        counters, refusals, seeding or Seeding(counters, ChargedSeven()), settlements
    ), settlements


async def admit(admission: Admission, wanted: Claim) -> Answer:
    known = admission.known_refusal(wanted)
    if known is not None:
        return Answer(wanted, known)
    later: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    answer = admission.admit(wanted, later.set_result)
    if answer is None:
        answer = await later
    assert not isinstance(answer.outcome, Unreachable)
    return answer
