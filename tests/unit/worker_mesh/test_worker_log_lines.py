"""Frames, marks and cursors: the arithmetic of logs."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.errors import QueryInvalid
from worker.logs.cursor import Cursor, read_event_id
from worker.logs.line import LogLine, Marker, mark_at, read_from
from worker.logs.query import MOST_TAIL, LogsWanted, read_query
from worker.logs.recent import Stretch, newest
from worker.streams.log_frames import FramedLog, LogDecoder, LogRecord, LogUnreadable, TerminalLog

STAMP = "2026-11-22T03:12:36.882704816Z"
STAMP_NS = 1_795_317_156_882_704_816
CONTAINER = "3f2a91c04b7e" + "0" * 52


def frame(kind: int, text: bytes, stamp: str = STAMP) -> bytes:
    octets = stamp.encode() + b" " + text
    return bytes((kind, 0, 0, 0)) + len(octets).to_bytes(4, "big") + octets


def decode(decoder: LogDecoder, octets: bytes, cuts: list[int]) -> list[LogRecord]:
    edges = [0, *sorted(cut % (len(octets) + 1) for cut in cuts), len(octets)]
    records: list[LogRecord] = []
    for start, end in pairwise(edges):
        records += decoder.feed(octets[start:end])
    return records + decoder.close()


FRAMED = (
    frame(1, b"one\rtwo\n")
    + frame(2, b"\xff\n")
    + frame(1, b"x" * 16384)
    + frame(1, b"end\n")
    + frame(1, b"\n")
)
STAMPED = STAMP.encode() + b" "
TERMINAL = (
    STAMPED
    + b"one\rtwo\r\n"
    + STAMPED
    + b"x" * 16384
    + STAMPED
    + b"end\r\n"
    + STAMPED
    + b"\r\n"
    + STAMPED
    + b"prompt"
)


@given(st.lists(st.integers(min_value=0, max_value=20_000), max_size=30))
def test_records_do_not_depend_on_how_the_bytes_arrive(cuts: list[int]) -> None:
    framed = decode(FramedLog(), FRAMED, cuts)
    terminal = decode(TerminalLog(), TERMINAL, cuts)

    assert [(record.stream, record.message, record.whole) for record in framed] == [
        ("stdout", "one\rtwo", True),
        ("stderr", "\N{REPLACEMENT CHARACTER}", True),
        ("stdout", "x" * 16384, False),
        ("stdout", "end", True),
        ("stdout", "", True),
    ]
    assert [(record.message, record.whole) for record in terminal] == [
        ("one\rtwo", True),
        ("x" * 16384, False),
        ("end", True),
        ("", True),
        ("prompt", True),
    ]
    assert {(record.ns, record.timestamp) for record in framed + terminal} == {(STAMP_NS, STAMP)}


@pytest.mark.parametrize("octets", [frame(7, b"x\n"), bytes((1, 0, 0, 0, 0, 0, 0, 2)) + b"hi"])
def test_what_is_not_dockers_log_is_said_to_be_unreadable(octets: bytes) -> None:
    with pytest.raises(LogUnreadable):
        FramedLog().feed(octets)


def record(ns: int, message: str = "m", stream: str = "stdout", *, whole: bool = True) -> LogRecord:
    return LogRecord(stream, ns, STAMP, message, whole)


def marks(records: list[LogRecord]) -> list[int]:
    return [line.mark for line in Marker(CONTAINER, "web").lines(records)]


records_in_log_order = st.lists(
    st.builds(
        record,
        # Seconds apart, or microseconds apart and out of order, or in pieces that share a time.
        st.integers(0, 40).map(lambda step: STAMP_NS + step // 4 * 3_000_000_000 + step % 4 * 1000),
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(["stdout", "stderr"]),
        whole=st.booleans(),
    ),
    max_size=60,
).map(lambda records: sorted(records, key=lambda one: one.ns // 3_000_000_000))


@given(records_in_log_order, st.integers(0, 60))
def test_a_line_has_one_mark_wherever_the_reading_began(records: list[LogRecord], place: int) -> None:
    every = list(Marker(CONTAINER, "web").lines(records))
    strictly = [line.mark for line in every]
    assert strictly == sorted(set(strictly))
    if place < len(every):
        last = every[place].mark
        # As the engine filters: by each record's own time.
        again = [one for one in records if one.ns >= read_from(last)]
        assert list(Marker(CONTAINER, "web").lines(again, last)) == every[place + 1 :]


def test_lines_that_the_engine_repeats_are_given_once_but_pieces_are_not() -> None:
    first, second = record(1000, "a"), record(2000, "b", "stderr")

    assert len(marks([first, second, first, second, record(3000, "c")])) == 3
    assert marks([record(5, "x" * 9, whole=False)] * 3) == [mark_at(5), mark_at(5) + 1, mark_at(5) + 2]


def line(container: str, mark: int) -> LogLine:
    return LogLine(container, mark, '"message":"m"')


names = st.text("0123456789abcdef", min_size=12, max_size=12)


@given(st.dictionaries(names, st.integers(0, 2 * 10**23), min_size=1, max_size=5), st.integers(0, 2 * 10**23))
def test_an_id_tells_where_a_reader_was_in_every_container(had: dict[str, int], mark: int) -> None:
    container = next(iter(had))
    event_id = Cursor(had).advance(line(container, mark))

    assert read_event_id(event_id) == {**had, container: mark}
    assert event_id.rsplit("-", 1)[1] == str(mark)


@pytest.mark.parametrize(
    "text", ["", "x", "3f2a91c04b7e", "3f2a91c04b7e-", "3f2a91c04b7e_-1", "../-1", "3f2a91c04b7e-1\n"]
)
def test_what_is_no_id_of_ours_is_none(text: str) -> None:
    assert read_event_id(text) is None


def test_the_last_lines_of_all_containers_are_merged_by_time() -> None:
    a, b = "a" * 12, "b" * 12
    web = Stretch(a, [line(a, 10), line(a, 30)], 9, 30)
    worker = Stretch(b, [line(b, 5), line(b, 20)], 4, 20)
    lines, before = newest([web, worker], 2)

    assert [one.mark for one in lines] == [20, 30]
    assert before == {a: 10, b: 5}


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ({}, LogsWanted(100, 0, None)),
        ({"tail": "7", "service": "db"}, LogsWanted(7, 0, "db")),
        ({"tail": "all"}, LogsWanted(MOST_TAIL, 0, None)),
        ({"since": "1700000000.5"}, LogsWanted(MOST_TAIL, 1_700_000_000_500_000_000, None)),
        ({"since": "2023-11-14T22:13:20Z"}, LogsWanted(MOST_TAIL, 1_700_000_000_000_000_000, None)),
        ({"since": "2023-11-14T23:13:20 01:00"}, LogsWanted(MOST_TAIL, 1_700_000_000_000_000_000, None)),
        ({"since": "10m", "tail": "5"}, LogsWanted(5, 1_699_999_400_000_000_000, None)),
    ],
)
def test_questions_are_read(query: dict[str, str], wanted: LogsWanted) -> None:
    assert read_query(query, 1_700_000_000.0) == wanted


@pytest.mark.parametrize(
    "query",
    [{"tail": "-1"}, {"tail": "1e3"}, {"tail": "\u0661"}, {"since": "now"}, {"since": "2023-11-14T22:13:20"}],
)
def test_meaningless_questions_are_refused(query: dict[str, Any]) -> None:
    with pytest.raises(QueryInvalid):
        read_query(query, 0.0)
