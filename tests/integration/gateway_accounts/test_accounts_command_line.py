import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.accounts.accounts import open_accounts
from gateway.accounts.cli import add_users_command, run_users_command
from gateway.accounts.email import Email
from gateway.accounts.principal import PlanId
from shared.clock import SystemClock

PLANS = ("free", "pro")


def run(data_dir: Path, *words: str) -> int:
    parser = argparse.ArgumentParser()
    add_users_command(parser.add_subparsers(dest="command", required=True))
    return run_users_command(parser.parse_args(["users", *words]), data_dir, PLANS)


def not_expected() -> None:
    raise AssertionError("a background job of the accounts ended")


async def _register(data_dir: Path, emails: Sequence[str]) -> None:
    async with open_accounts(data_dir, 3600.0, SystemClock(), not_expected) as accounts:
        for email in emails:
            await accounts.sign_in.register(Email(email), "", "long password", PlanId("free"), "192.0.2.1")


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    asyncio.run(_register(tmp_path / "data", ["ann@example.com", "bob@example.com"]))
    return tmp_path / "data"


def columns(line: str) -> list[str]:
    return line.split("\t")


def test_the_operator_lists_users_newest_first(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(data_dir, "list") == 0

    lines = [columns(line) for line in capsys.readouterr().out.splitlines()]
    assert [line[1] for line in lines] == ["bob@example.com", "ann@example.com"]
    assert [line[2:5] for line in lines] == [["user", "active", "free"]] * 2


def test_the_operator_changes_a_user_by_address_or_by_id(
    data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(data_dir, "promote", "Ann@example.com") == 0
    user_id = columns(capsys.readouterr().out)[0]
    assert run(data_dir, "set-plan", user_id, "pro") == 0
    assert run(data_dir, "suspend", user_id) == 0

    assert columns(capsys.readouterr().out.splitlines()[-1])[1:5] == [
        "ann@example.com",
        "admin",
        "suspended",
        "pro",
    ]
    assert run(data_dir, "activate", user_id) == 0
    assert columns(capsys.readouterr().out)[3] == "active"


def test_what_does_not_exist_is_one_line_and_exit_code_2(
    data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(data_dir, "suspend", "nobody@example.com") == 2
    assert run(data_dir, "set-plan", "ann@example.com", "gold") == 2

    assert capsys.readouterr().err.splitlines() == [
        "there is no user 'nobody@example.com'",
        "there is no plan 'gold'; there are: free, pro",
    ]
