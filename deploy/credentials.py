"""The platform's own secrets: generated once, kept in one file that only the owner may read."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

NAMES = ("IDENTITY_SECRET", "JOIN_TOKEN")


def load_or_generate(file: Path) -> Mapping[str, str]:
    """The secrets by name, as in `file` (`NAME=value` lines, mode 0600). Missing ones are added, existing ones never changed."""
    known = _read(file)
    absent = [name for name in NAMES if not known.get(name)]
    if absent:
        known |= {name: secrets.token_urlsafe(48) for name in absent}
        _write(file, known)
    return known


def _read(file: Path) -> dict[str, str]:
    if not file.exists():
        return {}
    lines = (line.partition("=") for line in file.read_text(encoding="utf-8").splitlines() if "=" in line)
    return {name.strip(): value.strip() for name, _, value in lines}


def _write(file: Path, values: Mapping[str, str]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_suffix(".tmp")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.writelines(f"{name}={value}\n" for name, value in values.items())
        out.flush()
        os.fsync(out.fileno())
    temporary.replace(file)
