"""What the relay lets through is not refused behind it."""

from shared.behind_relay import ADMITTED
from shared.relay.limits import Limits


def test_every_head_that_the_relay_admits_fits() -> None:
    assert ADMITTED["max_line_size"] > Limits().max_target
    assert ADMITTED["max_field_size"] > Limits().max_head
