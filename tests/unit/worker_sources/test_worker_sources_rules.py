"""Sources: addresses, archives, ignored files and build output, without network or engine."""

import io
import json
import stat
import tarfile
import zipfile
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from threading import Event

import pytest

from shared.source_address import SourceUrlInvalid, checked_git_url, is_public
from worker.runtime.build_output import BuildOutput
from worker.runtime.engine import BuildFailed, BuildMessage
from worker.sources import process, unpacking
from worker.sources.context import packed
from worker.sources.dockerignore import ignore_rules, is_ignored
from worker.sources.errors import SourceFailed
from worker.sources.unpacking import root_of, unpack


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1",
        "10.0.0.1",
        "172.16.3.4",
        "192.168.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.1.2.3",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fd00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "64:ff9b::a00:1",
        "2002:7f00:1::",
    ],
)
def test_an_address_that_is_not_everybodys_is_not_public(text: str) -> None:
    assert not is_public(ip_address(text))


@pytest.mark.parametrize("text", ["8.8.8.8", "2606:4700::1", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses_are_public_in_every_notation(text: str) -> None:
    assert is_public(ip_address(text))


def test_a_git_url_has_a_host_and_a_port_and_no_secret() -> None:
    short = checked_git_url("git@example.org:team/app.git")
    assert (short.url, short.host, short.port) == ("ssh://git@example.org/team/app.git", "example.org", 22)
    assert checked_git_url("https://[2001:db8::1]:8443/x").host == "2001:db8::1"
    for url in (
        "https://u:p@example.org/x",
        "https://u@example.org/x",
        "ssh://-oProxyCommand=x/y",
        "-x@example.org:y",
        "https://exa mple.org/x",
        "https:///x",
        "https://example.org:99999/x",
        "git://example.org/x",
        "https://example.org/x\n",
    ):
        with pytest.raises(SourceUrlInvalid):
            checked_git_url(url)


def _tar(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    octets = io.BytesIO()
    with tarfile.open(fileobj=octets, mode="w:gz") as tar:
        for entry, content in entries:
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return octets.getvalue()


def _entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry


def _zip_link(name: str, target: str) -> bytes:
    octets = io.BytesIO()
    entry = zipfile.ZipInfo(name)
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(octets, "w") as packed_files:
        packed_files.writestr(entry, target)
    return octets.getvalue()


@pytest.mark.parametrize(
    "octets",
    [
        _tar((_entry("../x"), b"x")),
        _tar((_entry("/etc/x"), b"x")),
        _tar((_entry("a/../../x"), b"x")),
        _tar((_entry("a\\..\\x"), b"x")),
        _tar((_entry("a", tarfile.SYMTYPE, "/etc"), b"")),
        _tar((_entry("a/b", tarfile.SYMTYPE, "../../x"), b"")),
        _tar((_entry("a", tarfile.LNKTYPE, "/etc/passwd"), b"")),
        _tar((_entry("a", tarfile.CHRTYPE), b"")),
        _tar((_entry("a", tarfile.FIFOTYPE), b"")),
        _tar((_entry("a"), b"1"), (_entry("a"), b"2")),
        _tar((_entry("a", tarfile.SYMTYPE, "b"), b""), (_entry("a"), b"2")),
        _zip_link("a", "../x"),
        b"",
        b"no archive",
        _tar((_entry("a"), b"x" * 100_000))[:60],
    ],
)
def test_an_archive_cannot_reach_out_of_its_folder(tmp_path: Path, octets: bytes) -> None:
    (tmp_path / "archive").write_bytes(octets)
    (tmp_path / "inside").mkdir()

    with pytest.raises(SourceFailed):
        unpack(tmp_path / "archive", tmp_path / "inside" / "files", Event())

    assert sorted(path.name for path in tmp_path.iterdir()) == ["archive", "inside"]
    assert [path.name for path in (tmp_path / "inside").iterdir()] == ["files"]


def test_a_file_is_never_written_through_a_link(tmp_path: Path) -> None:
    octets = _tar((_entry("a", tarfile.SYMTYPE, "b"), b""), (_entry("a/x"), b"x"))
    (tmp_path / "archive").write_bytes(octets)

    with pytest.raises(SourceFailed, match="twice"):
        unpack(tmp_path / "archive", tmp_path / "files", Event())


def test_an_archive_is_bounded_by_what_it_unpacks_to(tmp_path: Path) -> None:
    room = 1000
    content = io.BytesIO(b"x" * (room + 1))

    with pytest.raises(SourceFailed, match="unpacks to more"):
        unpacking._copy(content, tmp_path / "file", room)
    assert process.MOST_BYTES == unpacking.MOST_BYTES


def test_what_a_forge_packs_below_one_folder_is_found_there(tmp_path: Path) -> None:
    octets = _tar(
        (_entry("app-1/Dockerfile"), b"FROM x"), (_entry("app-1/a", tarfile.SYMTYPE, "Dockerfile"), b"")
    )
    (tmp_path / "archive").write_bytes(octets)

    unpack(tmp_path / "archive", tmp_path / "files", Event())

    assert root_of(tmp_path / "files") == tmp_path / "files" / "app-1"
    assert (tmp_path / "files" / "app-1" / "a").readlink() == Path("Dockerfile")


@pytest.mark.parametrize(
    ("patterns", "path", "ignored"),
    [
        ("node_modules", "node_modules/x/y.js", True),
        ("node_modules", "web/node_modules/x.js", False),
        ("**/node_modules", "web/node_modules/x.js", True),
        ("*.log", "x.log", True),
        ("*.log", "a/x.log", False),
        ("/build/", "build/x", True),
        ("build", "builder", False),
        ("*\n!README.md", "README.md", False),
        ("*\n!README.md", "other.md", True),
        ("docs\n!docs/keep\ndocs/keep/not", "docs/keep/not", True),
        ("a?c", "abc", True),
        ("[a-c].txt", "b.txt", True),
        ("# comment", "# comment", False),
        ("a.b", "axb", False),
    ],
)
def test_dockerignore_decides_as_docker_does(patterns: str, path: str, ignored: bool) -> None:  # noqa: FBT001 - a table
    assert is_ignored(ignore_rules(patterns), path) is ignored


async def test_a_context_is_the_same_bytes_for_the_same_files_and_follows_no_link(tmp_path: Path) -> None:
    def fill(folder: Path) -> None:
        (folder / "sub").mkdir(parents=True)
        (folder / ".git").mkdir()
        (folder / ".git" / "config").write_text("x")
        (folder / "sub" / "file").write_text("text")
        (folder / "out").symlink_to("/etc")
        (folder / "Dockerfile").write_text("FROM x")
        (folder / ".dockerignore").write_text("Dockerfile\nsub/file\n")
        (folder / "sub" / "other").write_text("y")

    streams = []
    for name in ("one", "two"):
        fill(tmp_path / name)
        streams.append(b"".join([octets async for octets in packed(tmp_path / name, "Dockerfile")]))

    assert streams[0] == streams[1]
    with tarfile.open(fileobj=io.BytesIO(streams[0])) as tar:
        names = {entry.name: entry for entry in tar}
    assert set(names) == {".dockerignore", "Dockerfile", "out", "sub", "sub/other"}
    assert names["out"].issym()


async def test_packing_ends_when_nobody_reads_on(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * 4_000_000)

    stream = packed(tmp_path, "Dockerfile")
    first = await anext(aiter(stream))
    await stream.aclose()  # type: ignore[attr-defined] # an async generator behind its narrower type

    assert first


def _messages(feed: Callable[[bytes], object], *lines: dict[str, object]) -> list[BuildMessage]:
    octets = b"".join(json.dumps(line).encode() + b"\r\n" for line in lines)
    found: list[BuildMessage] = []
    for at in range(0, len(octets), 7):
        found += feed(octets[at : at + 7])  # type: ignore[arg-type] # an iterator of messages
    return found


def test_build_output_tells_layers_that_were_made_from_those_that_were_there() -> None:
    said = _messages(
        BuildOutput().feed,
        {"status": "Status: Downloaded newer image for base:1"},
        {"stream": "Step 1/3 : FROM base:1\n"},
        {"stream": " ---> aaaaaaaaaaaa\n"},
        {"stream": "Step 2/3 : COPY . /x\n"},
        {"stream": " ---> Using cache\n"},
        {"stream": " ---> bbbbbbbbbbbb\n"},
        {"stream": "Step 3/3 : RUN make\n"},
        {"stream": " ---> Running in 123456789abc\n"},
        {"stream": "\u001b[91mwarning\n\u001b[0m"},
        {"stream": "Removing intermediate container 123456789abc\n ---> cccccccccccc\n"},
        {"aux": {"ID": "sha256:cc"}},
    )

    layers = [(message.layer, message.base) for message in said if message.layer]
    assert layers == [("a" * 12, True), ("b" * 12, False), ("c" * 12, False)]
    assert [message.container for message in said if message.container] == ["123456789abc"]
    assert [message.pulled for message in said if message.pulled] == ["base:1"]
    assert "warning" in [message.text for message in said]
    assert said[-1].image_id == "sha256:cc"
    with pytest.raises(BuildFailed, match="no space"):
        _messages(BuildOutput().feed, {"error": "no space"})
