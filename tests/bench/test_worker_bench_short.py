"""`tests.bench.worker_crashes` and `worker_addresses` in short; the first as a process of its own, because it leaves the network."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bench.worker_addresses import measure as measure_addresses
from tests.bench.worker_kills import measure as measure_kills
from tests.conftest import missing


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_killed_agent_and_a_restarted_engine_come_back_in_time(docker_engine: str) -> None:
    assert docker_engine
    if os.geteuid() != 0:
        missing("root", "a network of its own needs it")

    command = [sys.executable, "-m", "tests.bench.worker_crashes", "--short"]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=220, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_addresses_that_change_hands_never_bring_another_tenants_answer(
    docker_engine: str, free_port: Callable[[], int]
) -> None:
    assert docker_engine

    seen = await measure_addresses(1, (free_port(), free_port()))

    assert seen.passed_on, "addresses changed hands"
    assert seen.answers[200]
    assert seen.wrong == []


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_an_agent_that_is_killed_during_a_command_carries_it_out_or_never_began(
    docker_engine: str,
) -> None:
    assert docker_engine

    outcomes, left = await measure_kills(6, 5)

    assert [one for one in outcomes if one.became is None] == []
    assert left == 0
