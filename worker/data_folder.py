"""The worker's data folder, which is one process's at a time: two would clear each other's work and forget each other's nonces."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class DataFolderTaken(Exception):
    """Another worker uses the data folder."""


@contextmanager
def owned(folder: Path) -> Iterator[None]:
    """Until the end of the block, or of the process. Blocking. Raises DataFolderTaken."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _lock(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise DataFolderTaken(f"{folder} is in use by another worker") from None
