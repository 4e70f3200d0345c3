"""Which paths can be asked for, and what a tar says about a folder."""

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.files.path import PathInvalid, checked_path
from worker.files.tar_listing import FileEntry, TarListing, TarUnreadable

NAMES = st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1, max_size=150).filter(
    lambda name: name not in {".", ".."}
)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ()),
        ("/", ()),
        ("./app//src/.", ("app", "src")),
        ("/app/", ("app",)),
        ("..app/...", ("..app", "...")),
        ("%2e%2e", ("%2e%2e",)),
        ("a\\..\\b", ("a\\..\\b",)),
        ("a b\n", ("a b\n",)),
    ],
)
def test_a_path_is_read_from_the_root_of_the_container(text: str, names: tuple[str, ...]) -> None:
    assert checked_path(text) == names


@pytest.mark.parametrize(
    "text",
    [
        "..",
        "/..",
        "../etc",
        "app/../../etc",
        "app/..",
        "a/./../b",
        "//..//",
        "a\0b",
        "x/" * 65,
        "x" * 256,
        "\udcff",
        "é/" * 2048,
    ],
)
def test_what_could_lead_out_is_refused(text: str) -> None:
    with pytest.raises(PathInvalid):
        checked_path(text)


@given(
    st.dictionaries(NAMES, st.integers(0, 3000), max_size=8),
    st.lists(st.integers(1, 700), max_size=6),
    st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]),
)
def test_children_are_found_however_the_bytes_arrive(
    files: dict[str, int], cuts: list[int], form: int
) -> None:
    octets = tar_of(files, form)
    listing = TarListing()
    found: list[FileEntry] = []
    for cut in cuts:
        found += listing.feed(octets[:cut])
        octets = octets[cut:]
    found += listing.feed(octets)

    children = {entry.name: entry.size for entry in found if not entry.is_dir}
    assert children == files
    assert [entry.name for entry in found if entry.is_dir] == ["below"]


def tar_of(files: dict[str, int], form: int) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=form) as archive:
        folder = tarfile.TarInfo("app")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        below = tarfile.TarInfo("app/below")
        below.type = tarfile.DIRTYPE
        archive.addfile(below)
        for prefix, sizes in (("app/below/", {"x": 10, "y" * 200: 513}), ("app/", files)):
            for name, size in sizes.items():
                header = tarfile.TarInfo(prefix + name)
                header.size = size
                archive.addfile(header, io.BytesIO(b"\x01" * size))
    return written.getvalue()


def test_a_link_a_fifo_and_a_name_that_is_no_text_are_shown() -> None:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", encoding="utf-8", errors="surrogateescape") as archive:
        link = tarfile.TarInfo("app/away")
        link.type, link.linkname = tarfile.SYMTYPE, "../../etc/passwd"
        fifo = tarfile.TarInfo("app/pipe")
        fifo.type = tarfile.FIFOTYPE
        odd = tarfile.TarInfo("app/odd\udcff")
        for header in (link, fifo, odd):
            archive.addfile(header)

    found = list(TarListing().feed(written.getvalue()))

    assert [(entry.name, entry.link) for entry in found] == [
        ("away", "../../etc/passwd"),
        ("pipe", None),
        ("odd\ufffd", None),
    ]


@pytest.mark.parametrize("octets", [b"x" * 512, b"\x00" * 148 + b"1" * 364])
def test_what_is_no_tar_is_said_to_be_unreadable(octets: bytes) -> None:
    with pytest.raises(TarUnreadable):
        list(TarListing().feed(octets))
