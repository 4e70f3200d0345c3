"""What a node believes of another's word about a visitor."""

import pytest

from worker.mesh.hop import WINDOW_S, Hop, Line, read, written

KEY, OTHER_KEY, NOW = b"k" * 64, b"o" * 64, 1_800_000_000.0
HOP = Hop("2001:db8::7", "0192f0c1-req")
LINE = Line("GET", "site.zexio.app", "/a%2Fb?x=;y")
WRITTEN = written(HOP, LINE, KEY, NOW)


def test_what_was_written_is_believed_for_its_own_request_with_either_key_in_force() -> None:
    assert read(WRITTEN, LINE, [KEY], NOW) == HOP
    assert read(WRITTEN, LINE, [OTHER_KEY, KEY], NOW + WINDOW_S) == HOP


@pytest.mark.parametrize(
    ("value", "line", "keys", "now"),
    [
        (WRITTEN, Line("POST", LINE.host, LINE.target), [KEY], NOW),
        (WRITTEN, Line("GET", "other.zexio.app", LINE.target), [KEY], NOW),
        (WRITTEN, Line("GET", LINE.host, "/"), [KEY], NOW),
        (WRITTEN, LINE, [OTHER_KEY], NOW),
        (WRITTEN, LINE, [], NOW),
        (WRITTEN, LINE, [KEY], NOW + WINDOW_S + 2),
        (WRITTEN, LINE, [KEY], NOW - WINDOW_S - 2),
        (WRITTEN.replace(b"2001:db8::7", b"203.0.113.1"), LINE, [KEY], NOW),
        (WRITTEN + b";", LINE, [KEY], NOW),
        (b"1", LINE, [KEY], NOW),
        (b"", LINE, [KEY], NOW),
        (b"\xff;\xff;\xff;\xff", LINE, [KEY], NOW),
        (b"9" * 400 + b";a;b;c", LINE, [KEY], NOW),
        ("\u0661;a;b;c".encode(), LINE, [KEY], NOW),
    ],
)
def test_everything_else_is_not(value: bytes, line: Line, keys: list[bytes], now: float) -> None:
    assert read(value, line, keys, now) is None
