"""What was first answered under an idempotency key, and who is still working on the answer.

Rules:
- A key is claimed before its request is performed. At most one claim is worked on; the answer ends it.
- A claim that is not worked on any more, because it was let go of or its process has ended, may be taken over. Who takes it over is told the request id that
  it was first made under, because the operation may have been performed under that id without anyone hearing the answer.
- Answers may hold secrets that are shown once (a join token), so they are sealed.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from hoster.vault import Vault
from shared.clock import Clock
from shared.database import Database, Row

KEPT_S = 24 * 3600.0

_WHERE = "user_id = :user AND key = :key AND method = :method AND path = :path"


class IdempotencyKeyReused(Exception):
    """This key was first used with another body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """`digest` is over everything that the scope (user, key, method, path) does not name: query and body."""

    user_id: str
    key: str
    method: str
    path: str
    digest: str
    request_id: str

    def scope(self) -> dict[str, object]:
        return {"user": self.user_id, "key": self.key, "method": self.method, "path": self.path}


@dataclass(frozen=True, slots=True)
class Stored:
    status: int
    headers: Mapping[str, str]
    body: str


@dataclass(frozen=True, slots=True)
class Claimed:
    """Ours to perform. `abandoned_request_id`: someone began under that id, and may have come as far as performing it."""

    abandoned_request_id: str | None = None


@dataclass(frozen=True, slots=True)
class InUse:
    """Someone is working on the answer."""


class IdempotencyStore:
    """`owner` names this process; it is new at every start. A claim that nobody in this process works on is one that was let go of without
    being able to say so, or of a process that has ended.
    """

    def __init__(self, database: Database, vault: Vault, clock: Clock, owner: str) -> None:
        self._database = database
        self._vault = vault
        self._clock = clock
        self._owner = owner
        self._worked_on: set[str] = set()

    async def claim(self, asked: Asked) -> Claimed | Stored | InUse:
        """Raises IdempotencyKeyReused."""
        row = _row_name(asked)
        if row in self._worked_on:
            return await self._claim(asked, is_worked_on=True)
        self._worked_on.add(row)
        claim: Claimed | Stored | InUse | None = None
        try:
            claim = await self._claim(asked, is_worked_on=False)
            return claim
        finally:
            if not isinstance(claim, Claimed):
                self._worked_on.discard(row)

    async def _claim(self, asked: Asked, *, is_worked_on: bool) -> Claimed | Stored | InUse:
        now = self._clock.now()
        async with self._database.transaction() as connection:
            await connection.execute(
                f"DELETE FROM idempotency_keys WHERE {_WHERE} AND created_at < :expired",  # noqa: S608 - constant text
                {**asked.scope(), "expired": now - KEPT_S},
            )
            rows = await connection.execute_fetchall(
                f"SELECT * FROM idempotency_keys WHERE {_WHERE}",  # noqa: S608 - constant text
                asked.scope(),
            )
            found = next(iter(rows), None)
            if found is None:
                if is_worked_on:
                    return InUse()  # it is about to be written
                await connection.execute(
                    "INSERT INTO idempotency_keys (user_id, key, method, path, digest, request_id, owner, created_at)"
                    " VALUES (:user, :key, :method, :path, :digest, :request, :owner, :now)",
                    {**asked.scope(), "digest": asked.digest, "request": asked.request_id, "owner": self._owner, "now": now},
                )  # fmt: skip
                return Claimed()
            if found["digest"] != asked.digest:
                raise IdempotencyKeyReused
            if found["status"] is not None:
                return self._stored(asked, found)
            if is_worked_on:
                return InUse()
            await connection.execute(
                f"UPDATE idempotency_keys SET owner = :owner WHERE {_WHERE}",  # noqa: S608 - constant text
                {**asked.scope(), "owner": self._owner},
            )
        return Claimed(found["request_id"])

    async def begin_anew(self, asked: Asked) -> None:
        """For a claim that was taken over when nothing had been performed: from now on it is this request's."""
        async with self._database.transaction() as connection:
            await connection.execute(
                f"UPDATE idempotency_keys SET request_id = :request WHERE {_WHERE}",  # noqa: S608 - constant text
                {**asked.scope(), "request": asked.request_id},
            )

    async def keep(self, asked: Asked, answer: Stored) -> None:
        sealed = self._vault.seal(answer.body, _row_name(asked))
        try:
            async with self._database.transaction() as connection:
                await connection.execute(
                    "UPDATE idempotency_keys SET owner = NULL, status = :status, headers = :headers, body = :body"  # noqa: S608
                    f" WHERE {_WHERE}",  # constant text
                    {**asked.scope(), "status": answer.status, "headers": json.dumps(dict(answer.headers)), "body": sealed},
                )  # fmt: skip
        finally:
            self._worked_on.discard(_row_name(asked))

    async def let_go(self, asked: Asked) -> None:
        """There is no answer to keep; the next one who asks takes over."""
        try:
            async with self._database.transaction() as connection:
                await connection.execute(
                    f"UPDATE idempotency_keys SET owner = NULL WHERE {_WHERE}",  # noqa: S608 - constant text
                    asked.scope(),
                )
        finally:
            self._worked_on.discard(_row_name(asked))

    def _stored(self, asked: Asked, row: Row) -> Stored:
        body = self._vault.open(row["body"], _row_name(asked))
        return Stored(row["status"], json.loads(row["headers"]), body)


def _row_name(asked: Asked) -> str:
    return answer_row(asked.user_id, asked.key, asked.method, asked.path)


def answer_row(user_id: str, key: str, method: str, path: str) -> str:
    return json.dumps(["idempotency_keys", user_id, key, method, path])
