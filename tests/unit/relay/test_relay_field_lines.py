"""Field lines as they go out: one line a field, remembered or not."""

import pytest

from shared.relay.director import Field
from shared.relay.fields import OF_REQUESTS, UnsafeHead, encoded, forget, remember, standing_lines

BROKEN: list[Field] = [
    (b"X-A", b"1\r\nX-B: 2"),
    (b"X-A", b"1\n"),
    (b"X-A", b"\r1"),
    (b"X-A: 1\r\nX-B", b"2"),
    (b"X-\nA", b"1"),
]


@pytest.mark.parametrize("field", BROKEN)
def test_a_field_that_would_be_more_than_one_line_is_refused_wherever_it_comes_from(field: Field) -> None:
    with pytest.raises(UnsafeHead):
        encoded([(b"X-Good", b"1"), field])
    with pytest.raises(UnsafeHead):
        remember([field])
    with pytest.raises(UnsafeHead):
        encoded([field])


def test_a_remembered_field_goes_out_as_any_other_until_it_is_forgotten_and_after() -> None:
    field = (b"X-Remembered", b"as it is")
    before = standing_lines()

    remember([field])
    assert standing_lines() == before + 1
    assert encoded([(b"X-First", b"1"), field]) == b"X-First: 1\r\nX-Remembered: as it is\r\n"
    # More different lines than are remembered: what was read is forgotten then, what a director remembers is not.
    for number in range(5000):
        OF_REQUESTS.read([b"X-Number: %d" % number])
    assert (standing_lines(), encoded([field])) == (before + 1, b"X-Remembered: as it is\r\n")

    forget([field])
    assert (standing_lines(), encoded([field])) == (before, b"X-Remembered: as it is\r\n")
