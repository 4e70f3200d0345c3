import pytest

from hoster.monitoring.together import EVENT_MOST_BYTES, EventTooLong, Part, Places

STREAM = b'retry: 2000\n\n: keep-alive\n\nid: a-1\nevent: log\ndata: {"id: a-9":1}\n\nevent: gap\ndata: {"missed":2}\n\n'
RELABELLED = (
    b'retry: 2000\n\n: keep-alive\n\nid: logs=a-1;events=7-3\nevent: log\ndata: {"id: a-9":1}\n\n'
    b'event: logs-gap\ndata: {"missed":2}\n\n'
)


def test_events_come_out_whole_and_the_same_however_the_bytes_are_cut() -> None:
    for size in range(1, len(STREAM) + 1):
        part = Part("logs", Places("events=7-3"))
        pieces = [part.feed(STREAM[at : at + size]) for at in range(0, len(STREAM), size)]
        assert b"".join(pieces) == RELABELLED
        assert all(piece == b"" or piece.endswith(b"\n\n") for piece in pieces)


def test_an_id_tells_where_every_part_is() -> None:
    places = Places(None)
    assert places.move("events", "7-1") == "events=7-1"
    assert places.move("logs", "a_b.c-2") == "logs=a_b.c-2;events=7-1"
    again = Places("logs=a_b.c-2;events=7-1")
    assert (again.of("logs"), again.of("events"), again.of("stats")) == ("a_b.c-2", "7-1", None)


@pytest.mark.parametrize("given", ["", "e-1", "logs", "logs=", "logs=a\r\nX: y", "others=1", "logs=a b;=;;"])
def test_what_cannot_be_read_is_a_new_reader(given: str) -> None:
    assert Places(given).of("logs") is None


def test_a_worker_cannot_fill_the_memory_with_one_event() -> None:
    with pytest.raises(EventTooLong):
        Part("logs", Places(None)).feed(b"data: " + b"x" * EVENT_MOST_BYTES)
