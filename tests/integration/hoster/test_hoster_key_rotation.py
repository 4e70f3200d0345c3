"""Exchanging the key that seals secrets: while the service runs, after a crash in the middle, and with nothing left out."""

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from hoster.__main__ import MIGRATIONS
from hoster.keys.file import KEYS_MOST, RotationUnderWay, add_key, open_vault, read_keys
from hoster.keys.rotation import KeyRotation
from hoster.keys.sealed_columns import SEALED_COLUMNS
from hoster.vault import Vault, VaultUnusable
from shared.database import Database
from tests.fakes.hoster_worker import FakeWorker
from tests.integration.hoster.conftest import IDENTITY_SECRET, User, eventually, join_worker

TEMPLATE = {
    "name": "Mine", "compose": "services:\n  web:\n    image: nginx:1.27\n    expose: ['80']\n    x-web: true\n",
    "resources": {"cpu_cores": 0.1, "memory_mb": 64, "disk_mb": 64},
    "variables": [{"name": "PASSWORD", "type": "password"}],
}  # fmt: skip


async def test_every_column_that_holds_something_sealed_is_rotated(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "schema.db", MIGRATIONS)
    columns = await database.fetch_all(
        "SELECT t.name AS tab, c.name AS col FROM sqlite_master t, pragma_table_info(t.name) c WHERE t.type = 'table' AND c.type = 'BLOB'"
    )
    await database.close()
    found = {(row["tab"], row["col"]) for row in columns}

    assert found == {(one.table, one.column) for one in SEALED_COLUMNS}


async def _fill(user: User, base_url: str, session: aiohttp.ClientSession) -> FakeWorker:
    """Something in each sealed column that a request can fill."""
    worker = await join_worker(base_url, session)
    template = (await user.ask("POST", "/api/v1/templates", TEMPLATE)).body["id"]
    headers = {**user.headers("POST", "/api/v1/ssh_keys", "r-key"), "Idempotency-Key": "once"}
    await user.ask("POST", "/api/v1/ssh_keys", {"name": "k"}, headers=headers)
    made = await user.ask("POST", "/api/v1/deployments", {"name": "x", "template_id": template})
    await user.until(made.body["id"], "running")
    return worker


async def _rotated(key_file: Path, old: bytes) -> None:
    async def is_done() -> bool:
        return old not in await asyncio.to_thread(read_keys, key_file)

    await eventually(is_done, 40)


async def _keys(key_file: Path) -> list[bytes]:
    return await asyncio.to_thread(read_keys, key_file)


async def test_a_running_service_takes_a_new_key_and_gives_up_the_old_one(
    start_hoster: Any, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    running, database = await start_hoster()
    user = User(running.base_url, session)
    worker = await _fill(user, running.base_url, session)
    key_file = tmp_path / "secrets.key"
    [old] = await _keys(key_file)
    try:
        await asyncio.to_thread(add_key, key_file)
        await _rotated(key_file, old)
        made = await user.ask("POST", "/api/v1/ssh_keys", {"name": "afterwards"})
        assert made.status == 201
        health = await user.ask("GET", "/api/v1/deployments")
        assert health.body["items"][0]["variables"] == {"PASSWORD": "***"}
    finally:
        await running.runner.cleanup()
        await database.close()
        await worker.stop()

    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert _opened_with(tmp_path, Vault(*await _keys(key_file))) >= 4
    with pytest.raises(VaultUnusable):
        _opened_with(tmp_path, Vault(old))


def _opened_with(folder: Path, vault: Vault) -> int:
    """How many values there are; raises VaultUnusable unless this vault opens all of them."""
    connection = sqlite3.connect(folder / "hoster.db")
    connection.row_factory = sqlite3.Row
    opened = 0
    for one in SEALED_COLUMNS:
        for row in connection.execute(one.selection()).fetchall():
            vault.open(row["sealed"], one.bound_to(row))
            opened += 1
    connection.close()
    return opened


async def test_a_crash_at_any_moment_of_a_rotation_loses_nothing(
    start_hoster: Any, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    running, database = await start_hoster()
    worker = await _fill(User(running.base_url, session), running.base_url, session)
    await running.runner.cleanup()
    await database.close()
    await worker.stop()
    key_file = tmp_path / "secrets.key"
    [old] = await _keys(key_file)
    await asyncio.to_thread(add_key, key_file)

    class Crash(Exception):
        """In place of kill -9, between two batches."""

    for batches in range(3):
        vault = await asyncio.to_thread(open_vault, key_file, tmp_path / "hoster.db")
        database = await Database.open(tmp_path / "hoster.db", MIGRATIONS)
        rotation = KeyRotation(database, vault, key_file, settle_s=0)
        left = batches

        async def write(column: Any, rows: Any, whole: Any = rotation._write) -> int:
            nonlocal left
            if left == 0:
                raise Crash
            left -= 1
            return int(await whole(column, rows))

        rotation._write = write  # type: ignore[method-assign]  # the crash is between two of its transactions
        with pytest.raises(Crash):
            await rotation.look()
        await database.close()
        assert old in await _keys(key_file)
        assert _opened_with(tmp_path, vault) >= 4

    database = await Database.open(tmp_path / "hoster.db", MIGRATIONS)
    vault = await asyncio.to_thread(open_vault, key_file, tmp_path / "hoster.db")
    await KeyRotation(database, vault, key_file, settle_s=0).look()
    await database.close()
    assert old not in await _keys(key_file)
    assert _opened_with(tmp_path, Vault(*await _keys(key_file))) >= 4


def test_the_command_adds_a_key_and_says_how_far_it_is(tmp_path: Path) -> None:
    open_vault(tmp_path / "secrets.key", tmp_path / "hoster.db")
    environment = {
        "PATH": os.environ["PATH"],
        "IDENTITY_SECRET": IDENTITY_SECRET,
        "HOSTER_DATA_DIR": str(tmp_path),
    }

    def run(what: str) -> str:
        command = [sys.executable, "-m", "hoster", "keys", what]
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout

    assert "one key" in run("status")
    assert "new key" in run("rotate")
    assert "2 keys" in run("status")
    assert stat.S_IMODE((tmp_path / "secrets.key").stat().st_mode) == 0o600


def test_rotations_that_nothing_finishes_do_not_pile_up(tmp_path: Path) -> None:
    key_file = tmp_path / "secrets.key"
    open_vault(key_file, tmp_path / "hoster.db")
    for _ in range(KEYS_MOST - 1):
        add_key(key_file)

    with pytest.raises(RotationUnderWay):
        add_key(key_file)


def test_copies_of_one_sealed_value_stay_copies() -> None:
    sealed = Vault(b"a" * 32).seal("text", "row")
    both = Vault(b"b" * 32, b"a" * 32)

    assert both.resealed(sealed, "row") == both.resealed(sealed, "row") != sealed
    assert Vault(b"b" * 32).open(both.resealed(sealed, "row"), "row") == "text"
    with pytest.raises(VaultUnusable):
        both.resealed(sealed, "another row")
