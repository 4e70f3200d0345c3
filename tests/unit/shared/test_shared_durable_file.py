import os
import stat
from pathlib import Path

from shared.durable_file import write_private


def test_a_private_file_is_replaced_whole_and_read_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "key"
    write_private(path, b"first")
    path.chmod(0o644)

    write_private(path, b"second")

    assert path.read_bytes() == b"second"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["key"]


def test_what_a_crash_left_behind_neither_stops_the_next_write_nor_lends_it_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "key"
    left_over = tmp_path / f".key.{os.getpid()}"
    left_over.write_bytes(b"half")
    left_over.chmod(0o666)

    write_private(path, b"new")

    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not left_over.exists()
