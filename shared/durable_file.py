"""Small private files that are either as they were or wholly new, whatever happens."""

import os
from pathlib import Path


def write_private(path: Path, content: bytes, *, survives_machine: bool = True) -> None:
    """Mode 0600, temporary file + fsync + rename + fsync of the folder. Blocking.

    Without `survives_machine` there is no fsync: what is written survives this process, as whole as ever, and no disk is waited for.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    # A left-over of an earlier crash goes first: O_EXCL makes sure that the mode is ours, not that of a file somebody put there.
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        if survives_machine:
            os.fsync(file.fileno())
    temporary.replace(path)
    if survives_machine:
        _sync_folder(path.parent)


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
