"""The link to a Redis that is really paused, ended and back."""

import asyncio
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as NotYet

from gateway.counters.circuit import CircuitState
from gateway.counters.redis_link import RedisLink, Script, ScriptRun, parse_redis_url
from gateway.errors import CountersUnavailable
from shared.supervise import supervised
from tests.conftest import wait_until
from tests.integration.gateway_data.conftest import until

READ = Script.of("return 1")
WRITE = Script.of("redis.call('SET', KEYS[1], 1) return 1")
DEADLINE_S = 0.2
"""Longer than the product's, so that a busy machine does not miss it by itself."""
FIRST_QUESTIONS_S = 2.0
"""What those have that are asked before a connection is used."""


class OwnRedis:
    def __init__(self, folder: Path, port: int) -> None:
        self.port = port
        self._folder = folder
        self.start()

    def start(self) -> None:
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=self._folder)
        with Redis(port=self.port) as client:
            wait_until(lambda: _answers(client))

    def pause(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        self.process.kill()
        self.process.wait(10)


def _answers(client: Redis) -> bool:
    try:
        return bool(client.ping())
    except NotYet:
        return False


@pytest.fixture
def own_redis(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[OwnRedis]:
    redis = OwnRedis(tmp_path, free_port())
    yield redis
    redis.end()


@pytest.fixture
async def link(own_redis: OwnRedis) -> AsyncIterator[RedisLink]:
    address = parse_redis_url(f"redis://127.0.0.1:{own_redis.port}")
    found = RedisLink(address, [READ, WRITE], DEADLINE_S)
    async with supervised({"redis": found.keep}, lambda: None):
        assert await found.until_up(5.0)
        yield found


async def call(link: RedisLink, script: Script = READ) -> tuple[bool, float]:
    """Whether there was an answer, and after how many seconds this was known."""
    began = time.perf_counter()
    done: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    try:
        link.run(ScriptRun.of(script, ("key",), ()), done.set_result)
    except CountersUnavailable:
        return False, time.perf_counter() - began
    return await done == 1, time.perf_counter() - began


async def until_answered(link: RedisLink) -> int:
    """How many hundredths of a second it took, where a moment in which nothing runs at all is as long as any other."""
    pauses = 0
    while not (await call(link))[0]:
        assert pauses < 1000
        pauses += 1
        await asyncio.sleep(0.01)
    return pauses


async def test_a_paused_redis_makes_few_wait_and_the_rest_fail_at_once(
    own_redis: OwnRedis, link: RedisLink
) -> None:
    await until_answered(link)
    openings = link.circuit.openings
    own_redis.pause()

    waited = await asyncio.gather(*(call(link) for _ in range(20)))
    await until(lambda: not link.circuit.is_closed)
    opened = link.circuit
    later = [await call(link) for _ in range(50)]

    assert {answered for answered, _ in waited} == {False}
    assert all(seconds > DEADLINE_S * 0.9 for _, seconds in waited)
    assert (opened.state, opened.openings) == (CircuitState.OPEN, openings + 1)
    assert {answered for answered, _ in later} == {False}
    assert sorted(seconds for _, seconds in later)[25] < DEADLINE_S / 10


async def test_one_missed_deadline_does_not_open_the_circuit(own_redis: OwnRedis, link: RedisLink) -> None:
    own_redis.pause()
    await call(link)
    own_redis.go_on()

    await until_answered(link)

    assert link.circuit.openings == 0


@pytest.mark.parametrize("seconds", [0.9, 3.0])
async def test_a_redis_that_goes_on_is_asked_again_without_a_restart(
    own_redis: OwnRedis, link: RedisLink, seconds: float
) -> None:
    own_redis.pause()
    await call(link)
    await asyncio.sleep(seconds)
    assert not link.is_up
    own_redis.go_on()

    recovered_after = await until_answered(link)

    assert recovered_after < 150
    assert link.circuit.is_closed


async def test_a_redis_that_was_ended_and_started_again_is_found(
    own_redis: OwnRedis, link: RedisLink
) -> None:
    own_redis.end()
    await asyncio.sleep(0.3)
    assert await call(link) == (False, pytest.approx(0, abs=0.1))
    assert not link.circuit.is_closed
    await asyncio.to_thread(own_redis.start)

    assert await until_answered(link) < 300


@pytest.mark.parametrize(
    ("broken", "mended"),
    [
        (("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "SET", "maxmemory", "0")),
        (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE")),
    ],
    ids=["out of memory", "a replica"],
)
async def test_a_redis_that_cannot_write_is_given_up_until_it_can(
    own_redis: OwnRedis, link: RedisLink, broken: tuple[str, ...], mended: tuple[str, ...]
) -> None:
    with Redis(port=own_redis.port) as client:
        client.execute_command(*broken)
        for _ in range(3):
            await call(link, WRITE)
        await asyncio.sleep(1.0)
        is_up = link.is_up
        probes = client.info("commandstats")["cmdstat_set"]
        client.execute_command(*mended)

    assert not is_up
    # One at a time, 50 ms apart, and no more of them the longer it takes.
    assert 1 <= int(probes.get("rejected_calls", 0)) + int(probes["calls"]) <= 25
    assert await until_answered(link) < 100
    assert link.circuit.openings == 1


async def test_a_new_connection_has_the_short_deadline_from_its_first_call_on(
    own_redis: OwnRedis, link: RedisLink
) -> None:
    own_redis.pause()

    answered, seconds = await call(link)

    assert not answered
    assert seconds < FIRST_QUESTIONS_S
