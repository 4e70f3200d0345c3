"""The files of the journal: numbered segments of frames, read back after whatever ended the process."""

import errno
import fcntl
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from gateway.metering.records import Record, Torn, decode_frames

_ROOM_BYTES = 64 * 1024
_CANNOT_TELL = {errno.EBADF, errno.EINVAL, errno.EOPNOTSUPP}
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC


@dataclass(slots=True, init=False, order=True)
class Position:
    """The place after a record."""

    segment: int
    offset: int

    def __init__(self, segment: int, offset: int) -> None:
        self.segment = segment
        self.offset = offset


START = Position(0, 0)


class JournalLocked(Exception):
    """Another process has this journal open."""


def open_segment(folder: Path, number: int) -> int:
    """The descriptor of a segment to append to, its name durable."""
    descriptor = os.open(segment_path(folder, number), _FLAGS, 0o600)
    sync_folder(folder)
    return descriptor


def segment_path(folder: Path, number: int) -> Path:
    return folder / f"{number:010d}.log"


def segment_numbers(folder: Path) -> list[int]:
    return sorted(int(path.stem) for path in folder.glob("[0-9]*.log"))


def delete_segments_before(folder: Path, number: int) -> int:
    old = [found for found in segment_numbers(folder) if found < number]
    for found in old:
        segment_path(folder, found).unlink()
    return len(old)


def find_room(descriptor: int, size: int) -> None:
    """Cuts off what is half written after `size`. Raises OSError when there is no room for some more records."""
    os.ftruncate(descriptor, size)
    try:
        os.posix_fallocate(descriptor, size, _ROOM_BYTES)
    except OSError as error:
        if error.errno not in _CANNOT_TELL:
            raise
    finally:
        os.ftruncate(descriptor, size)


def sync_and_close(descriptor: int) -> None:
    os.fdatasync(descriptor)
    os.close(descriptor)


def read_segment(folder: Path, number: int, *, is_last: bool) -> list[tuple[Record, Position]]:
    """The records of a segment. What a crash tore off its end is cut off; damage elsewhere is kept, and said."""
    path = segment_path(folder, number)
    content = path.read_bytes()
    records: list[tuple[Record, Position]] = []
    with suppress(Torn):
        records.extend((record, Position(number, offset)) for record, offset in decode_frames(content))
    whole = records[-1][1].offset if records else 0
    if whole < len(content):
        log = structlog.get_logger("journal")
        if is_last:
            log.warning("journal_tail_cut_off", segment=number, bytes=len(content) - whole)
            os.truncate(path, whole)
        else:
            log.error("journal_damaged", segment=number, offset=whole, bytes=len(content) - whole)
    return records


def lock_folder(folder: Path) -> int:
    """A descriptor that holds the journal for this process; raises JournalLocked."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder / "lock", _FLAGS, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise JournalLocked(f"another gateway uses {folder}") from error
    return descriptor


def unlock_folder(descriptor: int) -> None:
    os.close(descriptor)


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
