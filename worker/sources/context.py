"""A folder as the tar stream that the engine builds from.

Links are packed as links and never followed; owners and times are left out, so that the same files give the same layers.
"""

import asyncio
import os
import tarfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from worker.sources.base_images import References, references_in
from worker.sources.dockerignore import IgnoreRule, ignore_rules, is_ignored, may_hold_exceptions
from worker.sources.errors import SourceFailed

_CHUNK = 256 * 1024
_IGNORE_FILE = ".dockerignore"
_MOST_IGNORE_BYTES = 256 * 1024
_MOST_DOCKERFILE_BYTES = 256 * 1024
_LEFT_OUT = ".git"


async def packed(root: Path, dockerfile: str) -> AsyncIterator[bytes]:
    """`dockerfile` is packed whatever `.dockerignore` says. The packing thread waits while nobody reads, and ends when nobody will."""
    reading, writing = os.pipe()
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=_CHUNK)
    pipe = os.fdopen(reading, "rb", buffering=0)
    transport, _protocol = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    packing = asyncio.ensure_future(asyncio.to_thread(_pack, root, dockerfile, writing))
    try:
        while octets := await reader.read(_CHUNK):
            yield octets
    finally:
        # The thread's next write fails then, if it is not done.
        transport.close()
        # The loop closes the pipe in its next turn, which waiting for a thread that is done would not give it.
        await asyncio.sleep(0)
        await asyncio.wait([packing])
    packing.result()


def read_dockerfile(root: Path, dockerfile: str) -> References:
    """Raises SourceFailed: it is not there, or names an image that it may not. Blocking."""
    path = root / dockerfile
    if not path.is_file() or not path.resolve().is_relative_to(root.resolve()):
        raise SourceFailed(f"The source has no file {dockerfile}.")
    with path.open("rb") as file:
        octets = file.read(_MOST_DOCKERFILE_BYTES + 1)
    if len(octets) > _MOST_DOCKERFILE_BYTES:
        raise SourceFailed(f"{dockerfile} is larger than {_MOST_DOCKERFILE_BYTES // 1024} KiB.")
    references = references_in(octets.decode(errors="replace"))
    if references.doubtful:
        raise SourceFailed(
            f"{dockerfile} uses {', '.join(references.doubtful)}, which may be the image of another project: give the name of a public one,"
            " with a tag."
        )
    return references


def _pack(root: Path, dockerfile: str, writing: int) -> None:
    try:
        with os.fdopen(writing, "wb") as pipe, tarfile.open(fileobj=pipe, mode="w|", bufsize=_CHUNK) as tar:
            for path, name in _files(root, dockerfile):
                tar.add(path, name, recursive=False, filter=_plain)
    except BrokenPipeError:
        # Nobody reads on: the build ended or was cancelled.
        return


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    if not (entry.isreg() or entry.isdir() or entry.issym()):
        return None
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    return entry


def _files(root: Path, dockerfile: str) -> Iterator[tuple[Path, str]]:
    rules = _rules(root)
    look_everywhere = may_hold_exceptions(rules)
    for parent, folders, files in os.walk(root):
        inside = Path(parent).relative_to(root).as_posix()
        prefix = "" if inside == "." else f"{inside}/"
        if not prefix and _LEFT_OUT in folders:
            folders.remove(_LEFT_OUT)
        for name in sorted(folders + files):
            path = prefix + name
            if path == dockerfile or not is_ignored(rules, path):
                yield Path(parent) / name, path
            elif name in folders and not look_everywhere and not dockerfile.startswith(f"{path}/"):
                folders.remove(name)
        folders.sort()


def _rules(root: Path) -> list[IgnoreRule]:
    path = root / _IGNORE_FILE
    if path.is_symlink() or not path.is_file():
        return []
    with path.open("rb") as file:
        return ignore_rules(file.read(_MOST_IGNORE_BYTES).decode(errors="replace"))
