"""The children of a folder, out of the tar of the whole of it, as it streams by. Pure.

Facts: the engine (Docker 20.10) walks a folder depth first and each folder in the order of its names, so children come sorted; names begin with that
of the folder itself. Long or unusual names come as PAX records (POSIX.1-2001), sometimes as GNU long names.
"""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass

_BLOCK = tarfile.BLOCKSIZE
_EXTENSIONS = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
_LARGEST_EXTENSION = 1024 * 1024


class TarUnreadable(Exception):
    """What arrives is no tar."""


@dataclass(frozen=True, slots=True)
class FileEntry:
    """`mtime` in Unix seconds; `link` is where a symbolic link says it leads, which nobody has looked at."""

    name: str
    size: int
    is_dir: bool
    mtime: float
    mode: int
    link: str | None


class TarListing:
    """Contents are skipped, not kept: what is in memory is one header."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._skip = 0
        self._extension: tuple[bytes, int] | None = None
        self._attributes: dict[str, str] = {}

    def feed(self, octets: bytes) -> Iterator[FileEntry]:
        """Children that are complete with these octets. Raises TarUnreadable."""
        self._buffer += octets
        while self._passes_content() and len(self._buffer) >= _BLOCK:
            if self._extension is not None:
                if not self._reads_extension():
                    return
                continue
            block = bytes(self._buffer[:_BLOCK])
            del self._buffer[:_BLOCK]
            entry = self._header(block)
            if entry is not None:
                yield entry

    def _passes_content(self) -> bool:
        passed = min(self._skip, len(self._buffer))
        del self._buffer[:passed]
        self._skip -= passed
        return self._skip == 0

    def _header(self, block: bytes) -> FileEntry | None:
        if not any(block):
            # Two empty blocks end a tar; what follows is padding.
            return None
        try:
            header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.HeaderError as error:
            raise TarUnreadable(str(error)) from error
        if header.type in _EXTENSIONS:
            if header.size > _LARGEST_EXTENSION:
                raise TarUnreadable("an extended header is too large")
            self._extension = (header.type, header.size)
            return None
        attributes, self._attributes = self._attributes, {}
        size = int(attributes.get("size", header.size))
        if header.isreg():
            self._skip = _padded(size)
        path = attributes.get("path", header.name).rstrip("/")
        _folder, slash, name = path.partition("/")
        if not slash or not name or "/" in name:
            return None
        return FileEntry(
            name=_shown(name),
            size=size if header.isreg() else 0,
            is_dir=header.isdir(),
            mtime=float(attributes.get("mtime", header.mtime)),
            mode=header.mode & 0o7777,
            link=_shown(attributes.get("linkpath", header.linkname)) if header.issym() else None,
        )

    def _reads_extension(self) -> bool:
        """Whether all of it was here."""
        kind, size = self._extension or (b"", 0)
        if len(self._buffer) < _padded(size):
            return False
        content = bytes(self._buffer[:size])
        del self._buffer[: _padded(size)]
        self._extension = None
        if kind == tarfile.GNUTYPE_LONGNAME:
            self._attributes["path"] = _decoded(content.rstrip(b"\0"))
        elif kind == tarfile.GNUTYPE_LONGLINK:
            self._attributes["linkpath"] = _decoded(content.rstrip(b"\0"))
        elif kind != tarfile.XGLTYPE:
            self._attributes.update(_pax_records(content))
        return True


def _pax_records(content: bytes) -> Iterator[tuple[str, str]]:
    """`<length> <name>=<value>` and a line feed, where the length counts itself."""
    while content:
        length, _, _rest = content.partition(b" ")
        if not length.isdigit() or not len(length) < int(length) <= len(content):
            raise TarUnreadable("a PAX record has no valid length")
        name, _, value = content[len(length) + 1 : int(length) - 1].partition(b"=")
        yield _decoded(name), _decoded(value)
        content = content[int(length) :]


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _decoded(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogateescape")


def _shown(name: str) -> str:
    """What is not UTF-8 cannot be written in JSON."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
