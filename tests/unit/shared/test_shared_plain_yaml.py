import time

import pytest

from shared.plain_yaml import YamlRefused, read_plain_yaml


def test_plain_data_is_read() -> None:
    assert read_plain_yaml("a: [1, 'x', true, null, x]\nb: {c: 1.5, a: c}\n") == {
        "a": [1, "x", True, None, "x"],
        "b": {"c": 1.5, "a": "c"},
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{" * 65_000, "levels deep"),
        ("[" * 65_000, "levels deep"),
        ("- " * 30_000, "levels deep"),
        ("? " * 30_000, "levels deep"),
        ("[" * 25 + "]" * 25, "levels deep"),
        ("a: &x [1]\nb: *x\n", "aliases"),
        ("a: 0x" + "f" * 60_000, "too large"),
        ("a: " + "9" * 5_000, "not valid"),
        ("? 0x" + "f" * 5_000 + "\n: a", "too large"),
        ("a: {b: 1, c: 2, b: 3}", "'b' twice in one mapping"),
        ("a: 1\nb: [a]\n'a': 2", "'a' twice in one mapping"),
        ("[{a: 1, ? [x] : 2, a: 1}]", "'a' twice in one mapping"),
        ("a: 2001-99-99", "not valid"),
        ("a: !!python/object:os.system x", "not valid"),
        ("a: !!int x", "not valid"),
        ("? [a]\n: b", "not valid"),
        ("a: \ud800", "not valid"),
        ("a: \0", "not valid"),
        ("{", "not valid"),
        ("---\na\n---\nb\n", "not valid"),
    ],
)
def test_what_would_cost_or_break_its_readers_is_refused_at_once(text: str, reason: str) -> None:
    began = time.process_time()
    with pytest.raises(YamlRefused, match=reason):
        read_plain_yaml(text)
    assert time.process_time() - began < 1
