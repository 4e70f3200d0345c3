"""A tar or zip into a folder, bounded, and without anything that could reach out of it. Blocking.

Rules:
- Names are relative and never climb; two entries never have the same name; devices and hard links are refused.
- Symbolic links point inside, and are made after all files, so that no file is ever written through one.
- Bytes are counted as they are unpacked, because what an archive says of itself may be a lie.
"""

import os
import posixpath
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import IO

from worker.sources.errors import SourceFailed
from worker.sources.process import MOST_BYTES, MOST_ENTRIES

_CHUNK = 256 * 1024
_ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")


@dataclass(frozen=True, slots=True)
class Entry:
    """`link` is where a symbolic link points; a folder has neither that nor `content`."""

    name: str
    executable: bool
    content: IO[bytes] | None = None
    link: str | None = None


def unpack(archive: Path, folder: Path, given_up: Event) -> None:
    """Raises SourceFailed; `folder` is then half filled. Ends early, with any result, once `given_up`."""
    folder.mkdir()
    try:
        with archive.open("rb") as file:
            is_zip = file.read(4) in _ZIP_MAGIC
        _write(_zip_entries(archive) if is_zip else _tar_entries(archive), folder, given_up)
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise SourceFailed(f"The archive cannot be read: {error}") from error
    except RuntimeError as error:
        # zipfile's word for an encrypted entry.
        raise SourceFailed(f"The archive cannot be read: {error}") from error


def root_of(folder: Path) -> Path:
    """The folder itself, or the only folder in it: forges put everything below `name-commit/`."""
    entries = list(folder.iterdir())
    alone = entries[0] if len(entries) == 1 else None
    return alone if alone is not None and alone.is_dir() and not alone.is_symlink() else folder


def _write(entries: Iterator[Entry], folder: Path, given_up: Event) -> None:
    links: list[tuple[str, str]] = []
    octets = 0
    for count, entry in enumerate(entries, 1):
        if count > MOST_ENTRIES:
            raise SourceFailed(f"The archive has more than {MOST_ENTRIES} entries.")
        name = _checked(entry.name)
        if not name or given_up.is_set():
            continue
        path = folder / name
        if entry.link is not None:
            links.append((name, entry.link))
        elif entry.content is None:
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            octets += _copy(entry.content, path, MOST_BYTES - octets)
            path.chmod(0o755 if entry.executable else 0o644)
    for name, target in links:
        _check_link(name, target)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() or path.is_symlink():
            raise SourceFailed(f"The archive has {name[:200]!r} twice.")
        path.symlink_to(target)


def _copy(content: IO[bytes], path: Path, room: int) -> int:
    size = 0
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    except FileExistsError:
        raise SourceFailed(f"The archive has {path.name[:200]!r} twice.") from None
    with os.fdopen(descriptor, "wb") as file:
        while octets := content.read(_CHUNK):
            size += len(octets)
            if size > room:
                raise SourceFailed(f"The archive unpacks to more than {MOST_BYTES // 1024**2} MiB.")
            file.write(octets)
    return size


def _checked(name: str) -> str:
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if name.startswith("/") or "\\" in name or "\0" in name or ".." in parts or len(name) > 4000:
        raise SourceFailed(f"The archive has an entry that reaches out of it: {name[:200]!r}")
    return "/".join(parts)


def _check_link(name: str, target: str) -> None:
    arrives = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
    if target.startswith("/") or "\0" in target or arrives == ".." or arrives.startswith("../"):
        raise SourceFailed(f"The archive has a link that leads out of it: {name[:200]!r}")


def _tar_entries(archive: Path) -> Iterator[Entry]:
    with tarfile.open(archive, "r|*") as tar:
        for member in tar:
            executable = bool(member.mode & stat.S_IXUSR)
            if member.isdir():
                yield Entry(member.name, executable)
            elif member.issym():
                yield Entry(member.name, executable, link=member.linkname)
            elif member.isreg():
                yield Entry(member.name, executable, tar.extractfile(member))
            else:
                raise SourceFailed(f"The archive has an entry that is no file: {member.name[:200]!r}")


def _zip_entries(archive: Path) -> Iterator[Entry]:
    with zipfile.ZipFile(archive) as packed:
        for member in packed.infolist():
            mode = member.external_attr >> 16
            executable = bool(mode & stat.S_IXUSR)
            if member.is_dir():
                yield Entry(member.filename, executable)
            elif stat.S_ISLNK(mode):
                yield Entry(
                    member.filename, executable, link=packed.read(member)[:4096].decode(errors="replace")
                )
            else:
                with packed.open(member) as content:
                    yield Entry(member.filename, executable, content)
