"""The ring that all live streams share."""

from hypothesis import given
from hypothesis import strategies as st

from worker.streams.event_id import Start, start_after
from worker.streams.ring import Pulse, Ring


@given(st.lists(st.one_of(st.integers(1, 40), st.none()), max_size=400))
def test_a_reader_gets_every_item_in_order_or_is_told_how_many_it_missed(steps: list[int | None]) -> None:
    """A number appends an item of that size; None lets the reader take."""
    ring: Ring[int] = Ring(Pulse(), max_items=50, max_bytes=500)
    written = index = accounted = 0
    for size in [*steps, None, *[None] * 60]:
        if size is not None:
            ring.append(written, size)
            written += 1
            continue
        batch = ring.take(index, 100)
        accounted += batch.missed
        for item in batch.items:
            assert item == accounted
            accounted += 1
        index = batch.index

    assert accounted == written == ring.end
    assert ring.end - ring.start <= 50


def test_a_reader_comes_back_to_where_it_was_or_is_told_that_it_cannot() -> None:
    ring: Ring[int] = Ring(Pulse(), max_items=10, max_bytes=10_000)
    for number in range(30):
        ring.append(number, 1)

    assert start_after(None, "7", ring, newest=3) == Start(27)
    assert start_after("7-25", "7", ring, newest=3) == Start(26)
    assert start_after("7-29", "7", ring, newest=3) == Start(30)
    for late, missed in (
        ("7-10", b'"missed":9'),
        ("6-25", b'"missed":null'),
        ("7-30", b'"missed":null'),
        ("x", b"null"),
    ):
        start = start_after(late, "7", ring, newest=3)

        assert start.index == 20
        assert start.opening.startswith(b"event: gap\n")
        assert missed in start.opening
