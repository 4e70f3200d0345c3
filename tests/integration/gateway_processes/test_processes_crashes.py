"""The crash test in short: `python -m tests.bench.crashes` is the long form."""

import random
from pathlib import Path

import pytest

from tests.bench.crashes import crash


@pytest.mark.slow
@pytest.mark.parametrize(("upstream", "kills"), [("hoster", 8), ("shop", 7)])
async def test_after_kills_at_random_moments_everything_that_was_done_is_in_the_books_once(
    tmp_path: Path, upstream: str, kills: int
) -> None:
    seed = random.SystemRandom().randrange(10**6)

    run = await crash(upstream, kills, seed, tmp_path)

    assert run.audit.mismatches == 0, (seed, run)
    assert run.kills.total() == kills
    assert run.audit.operations > 0
