"""Users in the database."""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import aiosqlite

from gateway.accounts.changes import AccountChanges
from gateway.accounts.email import Email
from gateway.accounts.errors import EmailTaken, LastAdministrator, UserNotFound
from gateway.accounts.principal import OrgId, PlanId, Role, UserId, UserStatus
from gateway.accounts.user import User
from shared.clock import Clock
from shared.database import Database, Row

_COLUMNS = "id, email, name, org_id, plan_id, role, status, created_at"


@dataclass(frozen=True, slots=True)
class UserChange:
    """None leaves a field as it is."""

    plan_id: PlanId | None = None
    role: Role | None = None
    status: UserStatus | None = None


@dataclass(frozen=True, slots=True)
class UserFilter:
    """`text` is looked for in ids, address and name, in any case; None takes any."""

    text: str = ""
    plan_id: PlanId | None = None
    role: Role | None = None
    status: UserStatus | None = None


class Users:
    def __init__(
        self, database: Database, changes: AccountChanges, clock: Clock, new_id: Callable[[str], str]
    ) -> None:
        self._database = database
        self._changes = changes
        self._clock = clock
        self._new_id = new_id

    async def add(self, email: Email, name: str, plan_id: PlanId, password_hash: str) -> User:
        """Raises EmailTaken."""
        user = User(
            id=UserId(self._new_id("user_")),
            email=email,
            name=name,
            org_id=OrgId(self._new_id("org_")),
            plan_id=plan_id,
            role=Role.USER,
            status=UserStatus.ACTIVE,
            created_at=self._clock.now(),
        )
        try:
            async with self._database.transaction() as connection:
                await connection.execute(
                    f"INSERT INTO users ({_COLUMNS}, password_hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - a constant
                    (
                        user.id,
                        user.email,
                        user.name,
                        user.org_id,
                        user.plan_id,
                        user.role,
                        user.status,
                        user.created_at,
                        password_hash,
                    ),
                )
        except sqlite3.IntegrityError as error:
            if "users.email" in str(error):
                raise EmailTaken from None
            raise
        return user

    async def get(self, user_id: UserId) -> User:
        """Raises UserNotFound."""
        row = await self._database.fetch_one(f"SELECT {_COLUMNS} FROM users WHERE id = ?", (user_id,))  # noqa: S608 - a constant
        if row is None:
            raise UserNotFound
        return _user(row)

    async def by_email(self, email: Email) -> tuple[User, str] | None:
        """The user and the hash of the password."""
        row = await self._database.fetch_one(
            f"SELECT {_COLUMNS}, password_hash FROM users WHERE email = ?",  # noqa: S608 - a constant
            (email,),
        )
        return (_user(row), row["password_hash"]) if row else None

    async def password_hash(self, user_id: UserId) -> str:
        row = await self._database.fetch_one("SELECT password_hash FROM users WHERE id = ?", (user_id,))
        if row is None:
            raise UserNotFound
        return str(row["password_hash"])

    async def upgrade_password_hash(self, user_id: UserId, old: str, new: str) -> str:
        """Another hash of the same password; the hash that is in force then, which is neither when somebody else was first."""
        async with self._database.transaction() as connection:
            await connection.execute(
                "UPDATE users SET password_hash = ? WHERE id = ? AND password_hash = ?", (new, user_id, old)
            )
        return await self.password_hash(user_id)

    async def page(
        self, limit: int, cursor: str | None, wanted: UserFilter | None = None
    ) -> tuple[Sequence[User], str | None]:
        """Newest first. Raises ValueError for a cursor that is not ours."""
        wanted = wanted or UserFilter()
        parameters: dict[str, object] = {
            **asdict(wanted),
            "text": wanted.text.lower(),
            "before": _position(cursor),
            "limit": limit + 1,
        }
        rows = await self._database.fetch_all(
            f"SELECT position, {_COLUMNS} FROM users WHERE position < :before"  # noqa: S608 - constants
            " AND (:text = '' OR instr(lower(id || ' ' || email || ' ' || name || ' ' || org_id), :text))"
            " AND plan_id = coalesce(:plan_id, plan_id) AND role = coalesce(:role, role)"
            " AND status = coalesce(:status, status)"
            " ORDER BY position DESC LIMIT :limit",
            parameters,
        )
        shown = rows[:limit]
        return [_user(row) for row in shown], str(shown[-1]["position"]) if len(rows) > limit else None

    async def change(
        self, user_id: UserId, change: UserChange, *, keep_an_administrator: bool = False
    ) -> tuple[User, User]:
        """The user before and after. Raises UserNotFound, and LastAdministrator when one must be kept and none would be left."""
        async with self._changes.changing(user_id) as connection:
            before = await _user_within(connection, user_id)
            await connection.execute(
                "UPDATE users SET plan_id = coalesce(?, plan_id), role = coalesce(?, role), status = coalesce(?, status)"
                " WHERE id = ?",
                (change.plan_id, change.role, change.status, user_id),
            )
            after = await _user_within(connection, user_id)
            if keep_an_administrator and before.administrates and not after.administrates:
                await _require_administrator(connection)
        return before, after


async def _user_within(connection: aiosqlite.Connection, user_id: UserId) -> User:
    cursor = await connection.execute(f"SELECT {_COLUMNS} FROM users WHERE id = ?", (user_id,))  # noqa: S608 - a constant
    row = await cursor.fetchone()
    if row is None:
        raise UserNotFound
    return _user(row)


async def _require_administrator(connection: aiosqlite.Connection) -> None:
    cursor = await connection.execute(
        "SELECT 1 FROM users WHERE role = 'admin' AND status = 'active' LIMIT 1"
    )
    if await cursor.fetchone() is None:
        raise LastAdministrator


def _position(cursor: str | None) -> int:
    if cursor is None:
        return 2**63 - 1
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 18):
        raise ValueError("this cursor was not given out here")
    return int(cursor)


def _user(row: Row) -> User:
    return User(
        id=row["id"],
        email=row["email"],
        name=row["name"],
        org_id=row["org_id"],
        plan_id=row["plan_id"],
        role=Role(row["role"]),
        status=UserStatus(row["status"]),
        created_at=row["created_at"],
    )
