"""Where the accounts are."""

from pathlib import Path


def database_path(data_dir: Path) -> Path:
    return data_dir / "accounts.db"
