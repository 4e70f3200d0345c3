"""Contract "Canonical path": every rule by a case, and what must hold for every path by hypothesis."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadPath
from gateway.rules.canonical_target import api_keys_in, canonical_path, canonical_target, without_api_key


@pytest.mark.parametrize(
    ("given_path", "canonical"),
    [
        ("/", "/"),
        ("/a/b", "/a/b"),
        ("/a/b/", "/a/b/"),
        ("/%7Eada", "/~ada"),
        ("/%61%50%2D%2e%5F", "/aP-._"),
        ("/caf%c3%a9", "/caf%C3%A9"),
        ("/caf\xc3\xa9", "/caf%C3%A9"),
        ("/a%3fb", "/a%3Fb"),
        ("/a%23b", "/a%23b"),
        ("/a%25b", "/a%25b"),
        ("/%252e%252e/x", "/%252e%252e/x"),
        ("/a/./b", "/a/b"),
        ("/a/../b", "/b"),
        ("/a/%2e%2e/b", "/b"),
        ("/a/.%2E/b", "/b"),
        ("/a/..", "/"),
        ("/a/b/..", "/a/"),
        ("/a/.", "/a/"),
        ("/.", "/"),
        ("//a///b//", "/a/b/"),
        ("/a//../b", "/b"),
        ("/...", "/..."),
        ("/.well-known/jwks.json", "/.well-known/jwks.json"),
        ("/a;b=1,2:@!$&'()*+=", "/a;b=1,2:@!$&'()*+="),
        ("/x/../api/v1/deployments", "/api/v1/deployments"),
    ],
)
def test_a_path_has_one_canonical_form(given_path: str, canonical: str) -> None:
    assert canonical_path(given_path) == canonical


@pytest.mark.parametrize(
    "path",
    [
        "", "a", "*", "http://x/", "/a%2fb", "/a%2Fb", "/a%5cb", "/a\\b", "/a%00", "/a%0d%0a", "/a%1f", "/a%7f", "/a\x00", "/a b",
        "/a\tb", "/a\x7f", "/a#b", "/%", "/%4", "/%zz", "/%c3", "/%c3%28", "/%ff", "/%e2%82", "/%c0%ae", "/%ed%a0%80", "/\xff",
        "/%c2%85", "/..", "/../a", "/a/../..", "/%2e%2e", "/a/../../b", "/\u20ac",
    ],
)  # fmt: skip
def test_a_path_without_canonical_form_is_refused(path: str) -> None:
    with pytest.raises(BadPath):
        canonical_path(path)


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("/dir\\file", id="URL-BACKSLASH"),
        pytest.param("/%c0%af", id="URL-OVERLONG-UTF8"),
        pytest.param("/file%00.txt", id="URL-PERCENT-NULL"),
        pytest.param("/x%0d%0aX-Injected:%20yes", id="URL-PERCENT-CRLF"),
    ],
)
def test_the_public_probes_of_paths_are_refused(path: str) -> None:
    with pytest.raises(BadPath):
        canonical_path(path)


_PIECES = st.sampled_from(
    [
        "/",
        "//",
        ".",
        "..",
        "%2e",
        "%2E%2e",
        "a",
        "B",
        "~",
        "%7e",
        "%41",
        "%c3%a9",
        "%3F",
        "%25",
        "%2f",
        ";",
        "=",
        "é".encode().decode("latin-1"),
    ]
)


@given(st.lists(_PIECES, max_size=12).map("".join))
def test_canonicalising_twice_changes_nothing(tail: str) -> None:
    try:
        once = canonical_path("/" + tail)
    except BadPath:
        return

    assert canonical_path(once) == once
    assert once.startswith("/")
    assert "//" not in once
    assert not {".", ".."} & set(once.split("/"))


@given(st.text(st.characters(max_codepoint=255), max_size=30))
def test_any_text_is_canonical_or_refused(tail: str) -> None:
    try:
        once = canonical_path("/" + tail)
    except BadPath:
        return

    assert canonical_path(once) == once
    assert once.isascii()


def test_the_query_passes_byte_for_byte() -> None:
    assert canonical_target("/a/../b?x=%2F&&y=1+2&z").text() == "/b?x=%2F&&y=1+2&z"
    assert canonical_target("/a?").text() == "/a?"


@pytest.mark.parametrize(
    ("query", "kept", "keys"),
    [
        ("a=1&api_key=k&b=%2F", "a=1&b=%2F", ["k"]),
        ("api_key=k", None, ["k"]),
        ("api%5fkey=k&a", "a", ["k"]),
        ("%61pi_key=k&x=%zz", "x=%zz", ["k"]),
        ("my_api_key=1&API_KEY=2", "my_api_key=1&API_KEY=2", []),
        ("a=api_key", "a=api_key", []),
        ("api_key", None, [""]),
        ("api_key=a%2Bb&api_key=c", None, ["a+b", "c"]),
        ("", "", []),
    ],
)
def test_only_the_api_key_is_taken_out_of_the_query(query: str, kept: str | None, keys: list[str]) -> None:
    assert without_api_key(query) == kept
    assert api_keys_in(query) == keys
