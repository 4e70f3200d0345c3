"""`python -m tests.bench.operations` in short."""

import pytest

from tests.bench.operations import drive, drive_real


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_random_orders_crashes_and_node_losses_all_come_right() -> None:
    drive(examples=6, steps=15)


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_on_a_real_node_they_come_right_too_and_nothing_is_left_on_its_engine(docker_engine: str) -> None:
    assert docker_engine
    drive_real(examples=2, steps=8)
