"""The platform's own secrets: generated once, kept in one file that only the owner may read."""

import secrets
from collections.abc import Mapping
from pathlib import Path

from shared.durable_file import write_private

NAMES = ("IDENTITY_SECRET", "JOIN_TOKEN")


def load_or_generate(file: Path) -> Mapping[str, str]:
    """The secrets by name, as in `file` (`NAME=value` lines, mode 0600). Missing ones are added, existing ones never changed."""
    known = _read(file)
    absent = [name for name in NAMES if not known.get(name)]
    if absent:
        known |= {name: secrets.token_urlsafe(48) for name in absent}
        lines = "".join(f"{name}={value}\n" for name, value in known.items())
        write_private(file, lines.encode())
    return known


def _read(file: Path) -> dict[str, str]:
    if not file.exists():
        return {}
    lines = (line.partition("=") for line in file.read_text(encoding="utf-8").splitlines() if "=" in line)
    return {name.strip(): value.strip() for name, _, value in lines}
