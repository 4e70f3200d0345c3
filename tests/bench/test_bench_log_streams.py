"""`tests.bench.log_streams` in short."""

import pytest

from tests.bench.log_streams import cut_streams, is_whole, many_readers, rotated_streams

pytestmark = [pytest.mark.engine, pytest.mark.slow]


@pytest.fixture(autouse=True)
def engine(docker_engine: str) -> str:
    return docker_engine


async def test_a_stream_that_is_cut_while_the_agent_is_killed_loses_and_repeats_nothing() -> None:
    seen = await cut_streams(5000, 8, 1)

    assert is_whole(seen, 5000), seen


async def test_what_was_rotated_away_is_declared() -> None:
    seen = await rotated_streams(100_000)

    assert seen.gaps > 0
    assert is_whole(seen, 100_000), seen


async def test_many_readers_of_one_container_share_one_stream_that_ends_with_them() -> None:
    everyone, most, left = await many_readers(40, 500)

    assert [seen for seen in everyone if not is_whole(seen, 500)] == []
    assert (most, left) == (1, 0)
