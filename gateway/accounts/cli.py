"""`python -m gateway users ...`: the operator's way to users, with or without a running gateway.

A running gateway takes a change into account within a second (see `changes`).
"""

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.accounts.accounts import open_database
from gateway.accounts.changes import AccountChanges
from gateway.accounts.directory import Directory
from gateway.accounts.email import EmailInvalid, normalise
from gateway.accounts.errors import UserNotFound
from gateway.accounts.ongoing_answers import OngoingAnswers
from gateway.accounts.principal import PlanId, Role, UserId, UserStatus
from gateway.accounts.user import User
from gateway.accounts.users import UserChange, Users
from shared.clock import SystemClock, rfc3339
from shared.ids import new_id

CHANGES = {
    "promote": UserChange(role=Role.ADMIN),
    "suspend": UserChange(status=UserStatus.SUSPENDED),
    "activate": UserChange(status=UserStatus.ACTIVE),
}

_PAGE = 500


def add_users_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """`users list`, `users promote|suspend|activate USER`, `users set-plan USER PLAN`."""
    actions = commands.add_parser("users", help="list and change users").add_subparsers(
        dest="action", required=True
    )
    actions.add_parser("list", help="all users, newest first")
    for name in CHANGES:
        actions.add_parser(name).add_argument("user", help="e-mail address or user id")
    set_plan = actions.add_parser("set-plan")
    set_plan.add_argument("user", help="e-mail address or user id")
    set_plan.add_argument("plan", help="a plan of the route file")


def run_users_command(arguments: argparse.Namespace, data_dir: Path, plan_ids: Collection[str]) -> int:
    """The exit code: 0, or 2 with one line on standard error."""
    if arguments.action == "list":
        for user in asyncio.run(list_users(data_dir)):
            sys.stdout.write(_line(user) + "\n")
        return 0
    change = CHANGES.get(arguments.action)
    if change is None:
        if arguments.plan not in plan_ids:
            return _refuse(f"there is no plan {arguments.plan!r}; there are: {', '.join(sorted(plan_ids))}")
        change = UserChange(plan_id=PlanId(arguments.plan))
    try:
        user = asyncio.run(change_user(data_dir, arguments.user, change))
    except UserNotFound:
        return _refuse(f"there is no user {arguments.user!r}")
    sys.stdout.write(_line(user) + "\n")
    return 0


async def list_users(data_dir: Path) -> Sequence[User]:
    async with _users(data_dir) as users:
        found: list[User] = []
        cursor: str | None = None
        while True:
            page, cursor = await users.page(_PAGE, cursor)
            found.extend(page)
            if cursor is None:
                return found


async def change_user(data_dir: Path, user: str, change: UserChange) -> User:
    """`user` is an e-mail address or a user id. Raises UserNotFound."""
    async with _users(data_dir) as users:
        _, changed = await users.change(await _id_of(users, user), change)
        return changed


@asynccontextmanager
async def _users(data_dir: Path) -> AsyncIterator[Users]:
    async with open_database(data_dir) as database:
        clock = SystemClock()
        changes = await AccountChanges.open(database, Directory(OngoingAnswers(clock)))
        yield Users(database, changes, clock, new_id)


async def _id_of(users: Users, text: str) -> UserId:
    try:
        known = await users.by_email(normalise(text))
    except EmailInvalid:
        return UserId(text)
    if known is None:
        raise UserNotFound
    return known[0].id


def _line(user: User) -> str:
    return "\t".join(
        (user.id, user.email, user.role, user.status, user.plan_id, user.org_id, rfc3339(user.created_at))
    )


def _refuse(sentence: str) -> int:
    sys.stderr.write(sentence + "\n")
    return 2
