"""Every column that holds something sealed, and the name that each value is bound to. A test compares this with the schema."""

from collections.abc import Callable
from dataclasses import dataclass

from hoster.deployments.settings import variable_row
from hoster.idempotency.store import answer_row
from hoster.nodes.bootstrap.store import key_row, token_row
from hoster.nodes.store import secret_row
from hoster.ssh_keys.store import private_row
from shared.database import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedColumn:
    """`key` are the columns that name a row; from them (and what `also` selects) `bound_to` makes the name that a value is sealed for."""

    table: str
    column: str
    key: tuple[str, ...]
    bound_to: Callable[[Row], str]
    also: str = ""

    def selection(self) -> str:
        """SQL for every sealed value, as `sealed`, with what names it."""
        columns = ", ".join([*self.key, f"{self.column} AS sealed", *([self.also] if self.also else [])])
        return f"SELECT {columns} FROM {self.table} WHERE {self.column} IS NOT NULL"  # noqa: S608 - names of our own


SEALED_COLUMNS = (
    SealedColumn(table="nodes", column="secret", key=("id",), bound_to=lambda row: secret_row(row["id"])),
    SealedColumn(
        table="deployment_variables",
        column="sealed",
        key=("deployment_id", "name"),
        bound_to=lambda row: variable_row(row["deployment_id"], row["name"]),
    ),
    SealedColumn(
        table="release_variables",
        column="sealed",
        key=("release_id", "name"),
        bound_to=lambda row: variable_row(row["deployment_id"], row["name"]),
        also="(SELECT r.deployment_id FROM releases r WHERE r.id = release_id) AS deployment_id",
    ),
    SealedColumn(
        table="idempotency_keys",
        column="body",
        key=("user_id", "key", "method", "path"),
        bound_to=lambda row: answer_row(row["user_id"], row["key"], row["method"], row["path"]),
    ),
    SealedColumn(
        table="ssh_keys", column="private_key", key=("id",), bound_to=lambda row: private_row(row["id"])
    ),
    SealedColumn(
        table="node_bootstraps",
        column="private_key",
        key=("node_id",),
        bound_to=lambda row: key_row(row["node_id"]),
    ),
    SealedColumn(
        table="node_bootstraps",
        column="join_token",
        key=("node_id",),
        bound_to=lambda row: token_row(row["node_id"]),
    ),
)
