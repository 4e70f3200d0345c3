"""`python -m tests.bench.operations` in short."""

import pytest

from tests.bench.operations import drive


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_random_orders_crashes_and_node_losses_all_come_right() -> None:
    drive(examples=6, steps=15)
